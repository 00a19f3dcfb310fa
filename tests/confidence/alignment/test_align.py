"""Tokens to offsets: every status, every wire form of a split character, and the traps that must fail."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_logprobs.confidence.alignment.align import Alignment, AlignmentStatus, align
from langchain_logprobs.confidence.alignment.token_bytes import token_bytes, utf8
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.profile import examples
from tests.token_lists import tokens_of


def plain(*texts: str) -> list[TokenLogprob]:
    return [TokenLogprob(text, -0.5) for text in texts]


def shown(alignment: Alignment) -> list[str | None]:
    """The text that each token is said to spell."""
    return [None if span is None else alignment.text[slice(*span)] for span in alignment.spans]


SPLIT = {
    "openai-chat": [["\\xf0\\x9f", -1, [], b"\xf0\x9f"], ["\\x98\\x80", -2, [], b"\x98\x80"]],
    "openai-chat-bytes-lost": [["\\xf0\\x9f", -1], ["\\x98\\x80", -2]],
    "openai-completions": [["bytes:\\xf0\\x9f", -1], ["bytes:\\x98\\x80", -2]],
    "latin1": [["\xf0\x9f", -1], ["\x98\x80", -2]],
    "replacement": [["\ufffd", -1, [], b"\xef\xbf\xbd"], ["\ufffd", -2, [], b"\xef\xbf\xbd"]],
    "replacement-without-bytes": [["\ufffd", -1], ["\ufffd", -2]],
    "replacement-with-true-bytes": [["\ufffd", -1, [], b"\xf0\x9f"], ["\ufffd", -2, [], b"\x98\x80"]],
    "empty": [["", -1], ["😀", -2]],
    "empty-with-empty-bytes": [["", -1, [], b""], ["😀", -2, [], "😀".encode()]],
}


class TestWireForms:
    @pytest.mark.parametrize("form", SPLIT)
    def test_both_tokens_belong_to_the_character(self, form: str) -> None:
        alignment = align(tokens_of(["Hi ", -1], *SPLIT[form], ["!", -1]), "Hi 😀!")
        assert shown(alignment) == ["Hi ", "😀", "😀", "!"]
        lost = form in {"replacement", "replacement-without-bytes"}
        assert alignment.status == ("resynchronised" if lost else "exact")
        whole = lost or form.startswith("empty")
        assert alignment.byte_spans[1:3] == ([(3, 7), (3, 7)] if whole else [(3, 5), (5, 7)])
        assert alignment.byte_spans[3] == (7, 8)

    @pytest.mark.parametrize("form", SPLIT)
    def test_with_reasoning_and_end_of_text_around(self, form: str) -> None:
        tokens = tokens_of(
            ["<think>", -1], *SPLIT[form], ["</think>", -1], ["\n\nHi ", -1], *SPLIT[form], ["<|im_end|>", -1]
        )
        alignment = align(tokens, "Hi 😀")
        assert shown(alignment) == [None, None, None, None, "Hi ", "😀", "😀", None]

    @pytest.mark.parametrize("form", SPLIT)
    def test_text_from_the_tokens_alone(self, form: str) -> None:
        alignment = align(tokens_of(["Hi ", -1], *SPLIT[form], ["!", -1]), None)
        assert alignment.status == "exact"
        if "lost" not in form and "replacement" not in form and form != "latin1":
            assert alignment.text == "Hi 😀!"
            assert shown(alignment) == ["Hi ", "😀", "😀", "!"]
        else:
            assert shown(alignment)[3] == "!"

    def test_a_space_before_the_part_of_a_character(self) -> None:
        alignment = align(
            tokens_of(["Hi", -1], [" \ufffd", -1, [], b" \xef\xbf\xbd"], ["\ufffd", -1], ["!", -1]), "Hi 😀!"
        )
        assert shown(alignment) == ["Hi", " 😀", "😀", "!"]

    def test_special_tokens_before_lost_bytes(self) -> None:
        assert shown(align(plain("<s>", "\ufffd", "\ufffd", "!", "</s>"), "😀!")) == [None, "😀", "😀", "!", None]

    def test_several_gaps(self) -> None:
        alignment = align(plain("\ufffd", "\ufffd", "a", "\ufffd", "\ufffd", "日本", "\ufffd", "\ufffd"), "😀a語日本語")
        assert shown(alignment) == ["😀", "😀", "a", "語", "語", "日本", "語", "語"]

    def test_gap_that_could_end_at_two_places_fails(self) -> None:
        assert align(plain("\ufffd", "\ufffd", "日", "\ufffd", "\ufffd"), "語日日日語").status == "failed"

    def test_empty_token_inside_a_gap(self) -> None:
        assert shown(align(plain("\ufffd", "", "\ufffd", "!"), "😀!")) == ["😀", "😀", "😀", "!"]

    @pytest.mark.parametrize("text", ["ab", "ab!", "a😀", "😀b", "a-b", "a\n-b"])
    def test_gap_without_a_place_fails(self, text: str) -> None:
        assert align(plain("a", "\ufffd", "\ufffd", "b"), text).status == "failed"

    def test_known_piece_that_is_missing_between_gaps_fails(self) -> None:
        assert align(plain("\ufffd", "x", "\ufffd"), "😀y😀").status == "failed"

    def test_replacement_character_that_the_model_said(self) -> None:
        assert shown(align(plain("a", "\ufffd", "b"), "a\ufffdb")) == ["a", "\ufffd", "b"]

    def test_replacement_character_that_the_model_said_in_two_tokens(self) -> None:
        assert shown(align(plain("\ufffd", "\ufffd"), "\ufffd")) == ["\ufffd", "\ufffd"]
        assert shown(align(plain("a", "\ufffd", "\ufffd"), "a\ufffd")) == ["a", "\ufffd", "\ufffd"]

    def test_white_space_stripped_around_lost_bytes(self) -> None:
        assert shown(align(plain("\n a", "\ufffd", "\ufffd", "b ", "\n"), "a😀b")) == ["a", "😀", "😀", "b", None]

    def test_bytes_that_are_wrong(self) -> None:
        tokens = tokens_of(["\\xf0", -1, [], b"\xf0"], ["Hi", -1, [], b"??"])
        assert shown(align(tokens, "\\xf0Hi")) == ["\\xf0", "Hi"]
        tokens = tokens_of(["é", -1, [], b"?"], ["<|im_end|>", -1, [], b"?"])
        assert shown(align(tokens, "é")) == ["é", None]

    def test_empty_token_before_ascii_has_no_place(self) -> None:
        assert shown(align(plain("", "a", "", ""), "a")) == [None, "a", None, None]

    def test_bytes_of_no_character(self) -> None:
        alignment = align(tokens_of(["a", -1], ["\\xff", -1, [], b"\xff"], ["é", -1]), None)
        assert alignment.text == "a\ufffdé"
        assert shown(alignment) == ["a", "\ufffd", "é"]
        assert alignment.byte_spans == [(0, 1), (1, 4), (4, 6)]


class TestStatus:
    @pytest.mark.parametrize("tokens, text, status, parts", [
        (["Hi", " there"], "Hi there", "exact", ["Hi", " there"]),
        (["<think>", "so", "</think>", "\n\n", "Hi", "<|e|>"], "Hi", "substring", [None, None, None, None, "Hi", None]),
        (["```json\n", "{", '"a":1', "}", "\n```"], '{"a":1}', "substring", [None, "{", '"a":1', "}", None]),
        (["```json\n{", '"a":1', "}\n```"], '{"a":1}', "substring", ["{", '"a":1', "}"]),
        ([" Hi", "\n"], "Hi", "substring", ["Hi", None]),
        (["Hi", " the"], "Hi there", "partial", ["Hi", " the"]),
        ([" there"], "Hi there", "partial", [" there"]),
        (["\nHi", " é"], "Hi é ", "stripped", ["Hi", " é"]),
        (["Hi "], "\n\nHi", "stripped", ["Hi"]),
        (["  a", " b  "], "\n a b \n", "stripped", [" a", " b "]),  # what is the same on both sides stays with them
        (["\n\n Hi"], "\t Hi", "stripped", [" Hi"]),
        (["\n", "Hi", " é\n"], "Hi éa", "partial", [None, "Hi", " é"]),
        (["\n", "Hi", " the\n"], "Hi there", "partial", [None, "Hi", " the"]),
        (["Hi", "<|tool|>", " there"], "Hi there", "exact", ["Hi", None, " there"]),
        (["Hi", "<|tool|>", " é", "</s>"], "Hi é", "exact", ["Hi", None, " é", None]),
        ([], "", "exact", []),
        (["", ""], "", "exact", [None, None]),
        (["<tool_call>", "x"], "", "substring", [None, None]),
        ([], "Hi", "failed", []),
        (["Hi"], "Ho", "failed", [None]),
        (["Hi"], " ", "failed", [None]),
        (["\ud800", "x"], "\ud800x", "exact", ["\ud800", "x"]),
        (["\ud800", "é", "\n"], "\ud800é", "substring", ["\ud800", "é", None]),
    ])  # fmt: skip
    def test_status_and_parts(self, tokens: list[str], text: str, status: str, parts: list[str | None]) -> None:
        alignment = align(plain(*tokens), text)
        assert alignment.status == status
        assert shown(alignment) == parts
        assert alignment.failed == (status == "failed")

    def test_last_occurrence(self) -> None:
        assert shown(align(plain("yes", "?", "yes"), "yes")) == [None, None, "yes"]

    @pytest.mark.parametrize("tokens, text", [
        (["<think>", "Hi", "</think>"], "Hi"),  # the answer's own tokens are missing
        (["<think>", "Hi", "</", "think>", "\n"], "Hi"),
        (["[THINK]", "Hé", "[/THINK]"], "Hé"),
        (["1", "5"], "5"),  # another number
        (["a", "b"], "a b a b"),
        (["an"], "banana"),  # two places
        (["\n"], "a\nb"),  # white space alone says nothing
        (["very", " good"], "very very good"),  # a token is missing, but which of the two?
        (["maybe", " 4", " or", " 5"], "4"),  # a quotation in the reasoning
        (["maybe", " 5", " or", " 4"], "4"),
        (["It", " is", " 42", "42"], "42"),
        (["1", ",", "000"], "000"),
        (["是", "四二"], "二"),  # inside a word of a token
        (["<|im_end|>"], "end"),
        (["a", "</s>"], ">"),
        (["`", "```"], "```"),
        (["x", "```\n", "```"], "```"),
        (["Hi", "\n", "Observation:"], "Hi"),  # nobody said that this is a stop string
        (["", "Hi", " th"], "Hi there"),  # "" may be the rest, but the rest is ASCII
        (["\n", "\n"], "\n"),
        (["token_id:12", "token_id:7"], "Hi"),
    ])  # fmt: skip
    def test_traps_fail(self, tokens: list[str], text: str) -> None:
        alignment = align(plain(*tokens), text)
        assert alignment.status is AlignmentStatus.FAILED
        assert set(alignment.spans) == set(alignment.byte_spans) == {None}
        assert len(alignment.tokens_between(0, len(text))) == 0

    def test_foreign_bytes_before_a_word_fail(self) -> None:
        tokens = tokens_of(["\\xc3", -1, [], b"\xc3"], ["\\xa91", -1, [], b"\xa91"], ["5é", -1])
        assert align(tokens, "5é").status == "failed"

    def test_text_before_the_end_of_reasoning_in_bytes_fails(self) -> None:
        tokens = tokens_of(["bytes:\\xc3", -1], ["bytes:\\xa9", -1], ["</think>", -1])
        assert align(tokens, "é").status == "failed"

    def test_repr_does_not_show_the_text(self) -> None:
        assert repr(align(plain("secret"), "secret")) == "Alignment(status='exact', tokens=1, characters=6)"


class TestOffsets:
    def test_tokens_between(self) -> None:
        alignment = align(plain("ab", "c", "de"), "abcde")
        assert alignment.tokens_between(1, 3) == range(0, 2)
        assert alignment.tokens_between(2, 2) == range(0)
        assert alignment.tokens_between(3, 5) == range(2, 3)

    def test_byte_offsets_of_a_long_text(self) -> None:
        text = "aé日😀" * 100
        alignment = align(plain(text), text)
        assert [alignment.byte_offset(at) for at in range(len(text) + 1)] == [
            len(text[:at].encode()) for at in range(len(text) + 1)
        ]

    def test_part(self) -> None:
        tokens = tokens_of(
            ["aé", -1], ["\\xf0\\x9f", -1, [], b"\xf0\x9f"], ["\\x98\\x80", -1, [], b"\x98\x80"], ["b", -1]
        )
        part = align(tokens, None).part(1, 3)
        assert (part.text, part.status) == ("é😀", "substring")
        assert shown(part) == ["é", "😀", "😀", None]
        assert part.byte_spans == [(0, 2), (2, 4), (4, 6), None]
        failed = align(plain("a"), "b").part(0, 1)
        assert (failed.status, failed.text, failed.spans) == ("failed", "b", [None])


TEXTS = st.text(st.sampled_from("ab 1,é日語😀\n\ufffd\\") | st.characters(), max_size=40)


def tokenised(data: st.DataObject, text: str, form: str) -> list[TokenLogprob]:
    """The text cut at random bytes and spelled in a wire form."""
    raw = utf8(text)
    cuts = sorted({0, len(raw), *data.draw(st.lists(st.integers(0, len(raw)), max_size=20))})
    tokens = []
    for start, end in itertools.pairwise(cuts):
        piece = raw[start:end]
        try:
            string = piece.decode()
            tokens.append(TokenLogprob(string, -0.5, piece if form != "none" else None))
            continue
        except UnicodeDecodeError:
            escaped = "".join(f"\\x{byte:02x}" for byte in piece)
        if form == "openai-chat":
            tokens.append(TokenLogprob(escaped, -0.5, piece))
        elif form == "openai-completions":
            tokens.append(TokenLogprob("bytes:" + escaped, -0.5))
        else:
            string = piece.decode("utf-8", "replace")
            tokens.append(TokenLogprob(string, -0.5, string.encode()))
    return tokens


@settings(max_examples=examples(1500))
@given(st.data(), TEXTS, st.sampled_from(["openai-chat", "openai-completions"]))
def test_known_bytes_are_always_placed(data: st.DataObject, text: str, form: str) -> None:
    tokens = tokenised(data, text, form)
    alignment = align(tokens, text)
    assert alignment.status == "exact"
    raw = utf8(text)
    for token, span, byte_span in zip(tokens, alignment.spans, alignment.byte_spans, strict=True):
        assert span is not None
        assert byte_span is not None
        assert raw[slice(*byte_span)] == token_bytes(token)
        # the smallest part of the text, in whole characters, that holds these bytes
        assert len(utf8(text[: span[0]])) <= byte_span[0] < len(utf8(text[: span[0] + 1]))
        assert len(utf8(text[: span[1] - 1])) < byte_span[1] <= len(utf8(text[: span[1]]))


@settings(max_examples=examples(1500))
@given(st.data(), TEXTS)
def test_lost_bytes_are_placed_right_or_not_at_all(data: st.DataObject, text: str) -> None:
    tokens = tokenised(data, text, "replacement")
    alignment = align(tokens, text)
    if alignment.failed:
        return
    position = 0
    for token, span in zip(tokens, alignment.byte_spans, strict=True):
        assert span is not None
        if "\ufffd" not in token.token:
            assert utf8(text)[slice(*span)] == utf8(token.token)
        assert span[0] <= position  # nothing between two tokens is left out
        position = span[1]
    assert position == len(utf8(text))


@settings(max_examples=examples(1000))
@given(st.data(), TEXTS, TEXTS, st.sampled_from(["openai-chat", "openai-completions", "replacement", "none"]))
def test_any_tokens_and_any_text(data: st.DataObject, spelled: str, text: str, form: str) -> None:
    """Whatever the tokens are: a span shows the token's own text, or a part of it, or the status is failed."""
    tokens = tokenised(data, spelled, form)
    alignment = align(tokens, text)
    assert len(alignment.spans) == len(tokens)
    if alignment.failed:
        return
    raw = utf8(text)
    assert alignment.starts == sorted(alignment.starts)
    assert alignment.ends == sorted(alignment.ends)
    for token, span in zip(tokens, alignment.byte_spans, strict=True):
        if span is not None and "\ufffd" not in token.token and token.token:
            assert raw[slice(*span)] in (token_bytes(token), utf8(token.token)) or raw[slice(*span)] in token_bytes(
                token
            )
