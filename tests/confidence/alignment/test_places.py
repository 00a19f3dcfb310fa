"""Where an answer may stand among its tokens, in every spelling, and what is known where something is missing."""

import pytest

from langchain_logprobs.confidence.alignment.align import Alignment, align, align_own_text
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.oracle import alignment as oracle


def plain(*texts: str) -> list[TokenLogprob]:
    return [TokenLogprob(text, -0.5) for text in texts]


def shown(alignment: Alignment) -> list[str | None]:
    """The text that each token is said to spell."""
    return [None if span is None else alignment.text[slice(*span)] for span in alignment.spans]


class TestLostBytes:
    """llama-cpp-python sends each piece of a character as an empty token without bytes."""

    @pytest.mark.parametrize("words, text, parts", [
        (["", "", "", "\ufe0f", "\n", "", ""], "🌟❤️\n🐦", ["🌟❤", "🌟❤", "🌟❤", "\ufe0f", "\n", "🐦", "🐦"]),
        (["", "", ", ok ", "", ""], "🌟, ok 🐦", ["🌟", "🌟", ", ok ", "🐦", "🐦"]),
        (['{"a":"', "", "", '","b":', "1", "}"], '{"a":"🌍","b":1}', ['{"a":"', "🌍", "🌍", '","b":', "1", "}"]),
        (["", "", "\u200d", "", "", "\u200d", "", ""], "👨‍👩‍👧",
         ["👨", "👨", "\u200d", "👩", "👩", "\u200d", "👧", "👧"]),
        (["Flag ", "", "", "", ""], "Flag 🇩🇪", ["Flag ", "🇩🇪", "🇩🇪", "🇩🇪", "🇩🇪"]),
        (["न", "", "", "स्ते"], "नमस्ते", ["न", "म", "म", "स्ते"]),
        (["안", "", "", " 하", "", "", "요"], "안녕 하세요", ["안", "녕", "녕", " 하", "세", "세", "요"]),
        (["", "", "", "", "!"], "😀😀!", ["😀😀", "😀😀", "😀😀", "😀😀", "!"]),
        (["", "", "Hi"], "😀Hi", ["😀", "😀", "Hi"]),
        (["Hi", "", ""], "Hi😀", ["Hi", "😀", "😀"]),
        ([" ", "", "", "\n"], "😀", [None, "😀", "😀", None]),
        (["<think>", "", "", "ok</think>", "", "", "Hi"], "😀Hi", [None, None, None, None, "😀", "😀", "Hi"]),
        (["```json\n", '{"a":"', "", "", '"}', "\n```"], '{"a":"🌍"}', [None, '{"a":"', "🌍", "🌍", '"}', None]),
        (["", "", "Sure", "<tool_call>", '{"a":"', "", '"}'], "😀Sure", ["😀", "😀", "Sure", None, None, None, None]),
        (["Sure", "", "", "<tool_call>", "{}"], "Sure😀", ["Sure", "😀", "😀", None, None]),
        (["日", "", "本", "", "語"], "日x本y語", None),  # lost bytes are beyond ASCII
        (["a", "", "a", "", "a"], "aéaéaéa", None),
        (["", "é", ""], "éééé", None),
        (["Hi", ""], "Hi there", None),
    ])  # fmt: skip
    def test_empty_tokens_without_bytes(self, words: list[str], text: str, parts: list[str | None] | None) -> None:
        tokens = plain(*words)
        alignment = align(tokens, text)
        if parts is None:
            assert alignment.status == "failed"
            assert alignment.reason is not None
            assert "bytes" in alignment.reason
            return
        assert alignment.status == "resynchronised"
        assert shown(alignment) == parts
        assert tuple(alignment.byte_spans) == oracle.place(tokens, text)

    def test_reported_answer_of_37_tokens_keeps_them_all(self) -> None:
        words = ["", "", "", "\ufe0f", "\n", *["", "", "", " is", " a", " bird", ".", "\n"] * 4]
        text = "🌟❤️\n" + "🐦 is a bird.\n" * 4
        alignment = align(plain(*words), text)
        assert alignment.status == "resynchronised"
        assert None not in alignment.spans

    def test_end_mark_of_llama_cpp_is_no_gap(self) -> None:
        end = TokenLogprob("", -0.5, b"")
        assert shown(align([*plain("Hi", "", ""), end], "Hi😀")) == ["Hi", "😀", "😀", None]
        assert shown(align([*plain("Hi", "\ufffd", "\ufffd"), end], "Hi😀")) == ["Hi", "😀", "😀", None]
        assert shown(align([*plain("Hi"), end], "Hi")) == ["Hi", None]

    @pytest.mark.parametrize("count", range(1, 9))
    def test_a_stream_that_breaks_off(self, count: int) -> None:
        """Each beginning of a stream: what is placed is placed where it ends up when all of it has come."""
        words = ["a ", "", "", "b", "", "", "", "c"]
        whole = align(plain(*words), "a 😀b👍🏽c")
        texts = ["a ", "a ", "a 😀", "a 😀b", "a 😀b", "a 😀b👍", "a 😀b👍🏽", "a 😀b👍🏽c"]
        part = align(plain(*words[:count]), texts[count - 1])
        for span, later in zip(part.spans, whole.spans, strict=False):
            assert span is None or later is None or (later[0] <= span[0] and span[1] <= later[1])


SENTENCES = {
    'The sky is "blue".\n': ["The", " sky", " is", ' "', "blue", '".', "\n"],
    '{"a": "b c"}': ["{", '"', "a", '":', ' "', "b", " c", '"}'],
    "是的，天空是蓝色": ["是", "的", "，", "天空", "是", "蓝色"],
    "naïve\tcafé — 😀": ["na", "ï", "ve", "\t", "café", " —", " 😀"],
    " 서울 — нет": [" 서울", " —", " нет"],
}


class TestSpellings:
    """Servers that send the strings of the tokenizer's vocabulary."""

    @pytest.mark.parametrize("text", SENTENCES)
    @pytest.mark.parametrize("own_bytes", [False, True])
    @pytest.mark.parametrize("around", [([], []), (["<think>", "ĠHm", "</think>"], ["<|im_end|>"])])
    def test_byte_level(self, text: str, own_bytes: bool, around: tuple[list[str], list[str]]) -> None:
        spell = {byte: char for char, byte in oracle.GPT2.items()}
        words = ["".join(spell[byte] for byte in word.encode()) for word in SENTENCES[text]]
        words = [*around[0], *words, *around[1]]
        tokens = [TokenLogprob(word, -0.5, word.encode() if own_bytes else None) for word in words]
        alignment = align(tokens, text)
        assert alignment.status == ("substring" if around[0] else "exact")
        assert shown(alignment) == [*[None] * len(around[0]), *SENTENCES[text], *[None] * len(around[1])]

    @pytest.mark.parametrize("text", SENTENCES)
    def test_sentencepiece(self, text: str) -> None:
        words = [word.replace(" ", "▁").replace("\n", "<0x0A>").replace("\t", "<0x09>") for word in SENTENCES[text]]
        assert shown(align(plain(*words), text)) == SENTENCES[text]
        assert shown(align(plain("▁" + words[0], *words[1:], "</s>"), text)) == [*SENTENCES[text], None]

    def test_a_character_in_bytes_of_sentencepiece(self) -> None:
        assert shown(align(plain("▁Hi", "▁", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>"), "Hi 😀")) == [
            "Hi",
            " ",
            *"😀" * 4,
        ]

    def test_vocabulary_with_special_tokens_in_the_middle(self) -> None:
        assert shown(align(plain("Hi", "<|tool|>", "Ġthere"), "Hi there")) == ["Hi", None, " there"]

    @pytest.mark.parametrize("words, alternative, raw", [
        (["a", "Ġb"], "Ġé".replace("é", "Ã©"), " é"),
        (["▁a", "▁b"], "▁é", " é"),
        (["a", " b"], " é", " é"),
    ])  # fmt: skip
    def test_alternatives_are_read_as_the_tokens_are(self, words: list[str], alternative: str, raw: str) -> None:
        alignment = align(plain(*words, "</s>"), "a b")
        for known in (alignment, alignment.part(0, 2)):
            assert (
                known.spelling(alternative, None) == known.spelling(alternative, alternative.encode()) == raw.encode()
            )
            assert known.spelling(alternative, b"\xff") == b"\xff"

    @pytest.mark.parametrize("words", [["Ġ", "gantija"], ["a", "▁b"], ["a ", "ĠĊ"], ["æĺ¯"], ["<0x0A>"]])
    def test_a_text_that_looks_like_it_is_itself(self, words: list[str]) -> None:
        alignment = align(plain(*words), "".join(words))
        assert alignment.status == "exact"
        assert shown(alignment) == words

    @pytest.mark.parametrize("words, text, parts", [
        (["Hello", "world", "!"], "Hello world!", ["Hello", "world", "!"]),
        (["{", '"a":', '"b', 'c"', "}"], '{"a": "b c"}', ["{", '"a":', '"b', 'c"', "}"]),
        (["a", "", "b", "</s>"], "a\n\n b", ["a", None, "b", None]),
        (["안녕", "하세요"], " 안녕 하세요", ["안녕", "하세요"]),
        (["<think>", "so", "</think>", "Hi", "you"], "Hi you", [None, None, None, "Hi", "you"]),
        (["Hi", " you", "all"], "Hi you all", ["Hi", " you", "all"]),
    ])  # fmt: skip
    def test_tokens_without_their_spaces(self, words: list[str], text: str, parts: list[str | None]) -> None:
        alignment = align(plain(*words), text)
        assert alignment.status == "stripped"
        assert shown(alignment) == parts
        assert alignment.covers(0 if text[0] != " " else 1, len(text))

    def test_the_text_of_tokens_in_every_reading(self) -> None:
        texts = [alignment.text for alignment in align_own_text(plain("{", '"a":', "Ġ1", "}", "ĠâĤ¬"))]
        assert texts[0] == '{"a":Ġ1}ĠâĤ¬'
        assert '{"a": 1} €' in texts
        assert [alignment.text for alignment in align_own_text(plain("plain", " ASCII"))] == ["plain ASCII"]


class TestPlace:
    """What may stand before and behind an answer."""

    @pytest.mark.parametrize("words, text, first, count", [
        (["Sure", ".", '<tool_call>{"a":"Sure."}</tool_call>'], "Sure.", 0, 2),
        (["Sure", ".", "\n\n", "<tool_call>", "{}", "</tool_call>", "\n", "<tool_call>", "{}"], "Sure.", 0, 2),
        (["Sure", ".", "[TOOL_CALLS]", '[{"name": "f"}]'], "Sure.", 0, 2),
        (["Sure", ".", "<｜tool▁calls▁begin｜>", "f", "<｜tool▁calls▁end｜>"], "Sure.", 0, 2),
        (["Sure", ".", "<|end|>", "<|start|>assistant", "<|channel|>commentary", " to=functions.f"], "Sure.", 0, 2),
        (["<tool_call>", "{}", "</tool_call>", "\n", "Done", "."], "Done.", 4, 2),
        (["<think>", "4?", "</think>", "\n", "4", "<|im_end|>"], "4", 4, 1),
        (["<|channel|>analysis<|message|>", "4?", "<|channel|>final<|message|>", "4", "<|return|>"], "4", 3, 1),
        (["```json\n", "[1]", "\n```", "<|im_end|>", "<|endoftext|>"], "[1]", 1, 1),
        (["Let me see.\n", "4", "<｜end▁of▁sentence｜>"], "4", 1, 1),
        (["end", "<|im_end|>"], "end", 0, 1),
        (["</think>", "\n\n", "<tool_call>", "{}"], "\n\n", 1, 1),
    ])  # fmt: skip
    def test_around_the_answer(self, words: list[str], text: str, first: int, count: int) -> None:
        alignment = align(plain(*words), text)
        assert alignment.status == "substring"
        inside = range(first, first + count)
        assert [span is not None for span in alignment.spans] == [index in inside for index in range(len(words))]

    @pytest.mark.parametrize("stop, words", [
        ("Observation:", ["42", "\n", "Obs", "ervation", ":"]),
        ("\n", ["42", "\n\nNext"]),
        ("###", ["42", "###", "<|im_end|>"]),
    ])  # fmt: skip
    def test_stop_string(self, stop: str, words: list[str]) -> None:
        assert shown(align(plain(*words), "42", stops=["never", stop])) == ["42", *[None] * (len(words) - 1)]

    @pytest.mark.parametrize("words, text", [
        (["<tool_call>", "<function=f><parameter=a>", "Sure.", "</parameter></function>", "</tool_call>"], "Sure."),
        (["<tool_call>", '{"a":', "{}", "}"], "}"),
        (["<think>", "Hi", "</think>"], "Hi"),
        (["[TOOL_CALLS]", "[1]"], "[1]"),
    ])  # fmt: skip
    def test_a_tool_call_or_reasoning_is_no_answer(self, words: list[str], text: str) -> None:
        alignment = align(plain(*words), text)
        assert alignment.status == "failed"
        assert alignment.reason is not None
        assert text not in alignment.reason

    def test_the_tokens_that_the_caller_knows_to_be_the_text(self) -> None:
        tokens = plain("It", " is", " 42", "42")
        assert align(tokens, "42").failed
        for among in (range(3, 4), [3]):
            alignment = align(tokens, "42", among=among)
            assert (alignment.status, shown(alignment)) == ("exact", [None, None, None, "42"])
            assert alignment.tokens_between(0, 2) == range(3, 4)

    def test_tokens_among_others(self) -> None:
        tokens = plain("a", "[", "b", "[", "é", "]")
        alignment = align(tokens, "abé", among=[0, 2, 4])
        assert shown(alignment) == ["a", None, "b", None, "é", None]
        assert list(alignment.starts) == sorted(alignment.starts)
        assert list(alignment.ends) == sorted(alignment.ends)
        assert alignment.tokens_between(1, 3) == range(2, 5)
        assert align(tokens, None, among=range(2)).text == "a["
        assert align(tokens, "x", among=range(2)).spans == [None] * 6
        assert align(tokens, "", among=range(0)).spans == [None] * 6
        assert align(tokens, "x", among=[]).reason == "there are no tokens"
        split = [TokenLogprob("\\xc3", -1, b"\xc3"), *plain("#"), TokenLogprob("\\xa9", -1, b"\xa9")]
        assert align(split, "é", among=[0, 2]).byte_spans == [(0, 1), None, (1, 2)]


class TestMissingTokens:
    @pytest.mark.parametrize("words, text, parts, reason", [
        (["The", " sky", " blue"], "The sky is blue", ["The", " sky", " blue"],
         "tokens are missing in the middle: 3 characters of the text have none"),
        (["The", " sky"], "The sky is", ["The", " sky"],
         "the tokens spell only a part of the text: 3 characters at its ends have none"),
        ([" sky", " blue"], "The sky is blue.", [" sky", " blue"],
         "tokens are missing in the middle: 3 characters of the text have none, 4 more at its ends"),
        (["天空", "蓝色"], "天空是蓝色", ["天空", "蓝色"],
         "tokens are missing in the middle: 1 characters of the text have none"),
        (["<think>", "blue", "</think>", "The", " blue"], "The sky blue", [None, None, None, "The", " blue"],
         "tokens are missing in the middle: 4 characters of the text have none"),
        (["Ġsky", "Ġblue"], "The sky is blue", [" sky", " blue"],
         "tokens are missing in the middle: 3 characters of the text have none, 3 more at its ends"),
    ])  # fmt: skip
    def test_the_one_way(self, words: list[str], text: str, parts: list[str | None], reason: str) -> None:
        alignment = align(plain(*words), text)
        assert (alignment.status, alignment.reason) == ("partial", reason)
        assert shown(alignment) == parts

    @pytest.mark.parametrize("words, text, reason", [
        (["very", " good"], "very very good", "tokens are missing, and the others fit the text in more than one way"),
        (["a", "b"], "ab ab", "tokens are missing, and the others fit the text in more than one way"),
        (["blue", "The"], "The sky is blue", "no correspondence between the tokens and the text"),
        (["", " "], "é", "the tokens show no text"),
        ([], "Hi", "there are no tokens"),
    ])  # fmt: skip
    def test_no_way_or_several(self, words: list[str], text: str, reason: str) -> None:
        tokens = [TokenLogprob(word, -0.5, b"" if not word else None) for word in words]
        alignment = align(tokens, text)
        assert (alignment.status, alignment.reason) == ("failed", reason)

    def test_what_the_tokens_cover(self) -> None:
        alignment = align(plain('{"a', "12", ',"b":', "7", "}"), '{"a":12,"b":75}')
        assert alignment.gaps == [(3, 5), (13, 14)]
        assert alignment.covers(5, 7)
        assert not alignment.covers(4, 7)
        assert not alignment.covers(12, 14)
        assert alignment.covers(12, 13)
        assert not alignment.covers(3, 5)
        part = alignment.part(4, 14)
        assert (part.status, part.gaps, part.text) == ("partial", [(0, 1), (9, 10)], ':12,"b":75')
        assert (alignment.part(5, 13).status, alignment.part(5, 13).gaps) == ("substring", [])


class TestPart:
    def test_a_part_copies_no_offsets(self) -> None:
        alignment = align([TokenLogprob(word, -1) for word in ["é"] * 2000], "é" * 2000)
        part = alignment.part(10, 12)
        assert (part.span(10), part.span(11), part.span(9), part.span(12)) == ((0, 1), (1, 2), None, None)
        assert part.tokens_between(0, 2) == range(10, 12)
        assert part.starts is not alignment.starts
        assert not isinstance(part.starts, list)
        assert list(part.starts[9:13]) == [0, 0, 1, 2]
        assert part.byte_span(11) == (2, 4)
        inner = part.part(1, 2)
        assert (inner.text, inner.span(11), inner.byte_span(11)) == ("é", (0, 1), (0, 2))
