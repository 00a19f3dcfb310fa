"""Low-confidence stretches: words, gaps and severities, and FlareChain's rule to the letter."""

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_logprobs.confidence.alignment.align import align
from langchain_logprobs.confidence.stretches import FLARE, Stretch, low_confidence_stretches, worst_stretches
from langchain_logprobs.formats.tokens import TokenLogprob, Tokens
from tests.profile import examples
from tests.token_lists import VECTOR_C, tokens_of

VECTOR_A = [["Paris", -0.05], [" is", -0.9], [" the", -0.3], [" capital", -0.01], [".", -1.6]]
VECTOR_B = [
    ["Hi", -0.2],
    [" \\xf0\\x9f\\x8c", -2.5, [["!", -0.6], [",", -1.4], [".", -2.3]], bytes([32, 240, 159, 140])],
    ["\\x8d", 0.0, [], bytes([141])],
    [" x", -9999.0, [[" and", -0.1], [" or", -2.6], ["!", -5.0]]],
    ["!", -0.7],
]
LOW = -3.0


def texts(tokens: list[TokenLogprob], text: str | None = None, **settings) -> list[str]:
    return [stretch.text for stretch in low_confidence_stretches(tokens, text, **settings)]


def marked(*parts: str) -> list[TokenLogprob]:
    """Tokens from texts; the low ones are written with a star in front."""
    return [TokenLogprob(part.removeprefix("*"), LOW if part.startswith("*") else -0.1) for part in parts]


class TestFlare:
    @pytest.mark.parametrize("vector, threshold, expected", [
        (VECTOR_A, 0.2, []),
        (VECTOR_A, 0.5, [" is the capital"]),
        (VECTOR_A, 0.9, [" is the capital."]),
        (VECTOR_C, 0.5, ["4.5"]),
        (VECTOR_C, 0.9, ['positive","', '4.5,"ok":true}']),
        (VECTOR_B, 0.2, [" 🌍 x!"]),
    ])  # fmt: skip
    def test_goldens(self, vector, threshold: float, expected: list[str]) -> None:
        assert texts(tokens_of(*vector), **(FLARE | {"threshold": threshold})) == expected

    def test_span_of_vector_b(self) -> None:
        [stretch] = low_confidence_stretches(tokens_of(*VECTOR_B), **FLARE)
        assert (stretch.token_start, stretch.token_count) == (1, 4)

    @settings(max_examples=examples(300))
    @given(
        st.lists(
            st.tuples(st.sampled_from(["a", " b", ",", ".", " the", "_", "\n", "é", " 7"]), st.floats(-6, 0)),
            max_size=60,
        ),
        st.floats(0.01, 1),
        st.integers(2, 8),
        st.integers(0, 5),
    )
    def test_equal_to_langchain(self, entries, threshold: float, gap: int, pad: int) -> None:
        flare = pytest.importorskip("langchain_classic.chains.flare.base")
        words, logprobs = [entry[0] for entry in entries], [entry[1] for entry in entries]
        expected = flare._low_confidence_spans(words, logprobs, threshold, gap, pad)
        settings_: dict[str, Any] = {**FLARE, "threshold": threshold, "merge_gap": gap - 2, "pad": pad}
        found = low_confidence_stretches(tokens_of(*entries), "".join(words), **settings_)
        assert [stretch.text for stretch in found] == expected


class TestWords:
    def test_white_space_is_trimmed(self) -> None:
        [stretch] = low_confidence_stretches(marked("It", " is", "* maybe\n", " so"))
        assert (stretch.text, stretch.start, stretch.end) == ("maybe", 6, 11)
        assert (stretch.token_start, stretch.token_count) == (2, 1)

    def test_a_word_is_whole(self) -> None:
        [stretch] = low_confidence_stretches(marked("un", "*believ", "able", " thing"))
        assert (stretch.text, stretch.token_start, stretch.token_count, stretch.low_count) == ("unbelievable", 0, 3, 1)
        assert stretch.mean_logprob == pytest.approx((LOW - 0.2) / 3)

    def test_two_low_tokens_of_one_word_are_one_stretch(self) -> None:
        [stretch] = low_confidence_stretches(marked("*un", "bel", "iev", "*able"), merge_gap=0)
        assert (stretch.text, stretch.low_count, stretch.token_count) == ("unbelievable", 2, 4)

    def test_neighbouring_words_stay_apart(self) -> None:
        assert texts(marked("*one", " two", " three", "*four")) == ["one", "threefour"]

    def test_combining_marks_and_vowel_signs_are_parts_of_words(self) -> None:
        assert texts(marked("नम", "*स्", "ते", " x")) == ["नमस्ते"]
        assert texts(marked("e", "\u0301t", "*e\u0301")) == ["e\u0301te\u0301"]

    @pytest.mark.parametrize("parts, expected", [
        (("今天", "*天气", "很好"), "天气"), (("วัน", "*นี้ด", "ี"), "นี้ด"), (("これ", "*は", "です"), "は"),
    ])  # fmt: skip
    def test_scripts_without_spaces_are_left_alone(self, parts: tuple[str, ...], expected: str) -> None:
        assert texts(marked(*parts)) == [expected]

    def test_korean_has_spaces(self) -> None:
        assert texts(marked("안녕", "*하세", "요", " x")) == ["안녕하세요"]

    def test_a_long_run_is_no_word(self) -> None:
        [stretch] = low_confidence_stretches(marked("x" * 100, "*y", "z" * 100))
        assert stretch.text == "x" * 32 + "y" + "z" * 32

    def test_whole_tokens(self) -> None:
        assert texts(marked("un", "*believ", "able", "* ok "), words=False) == ["believable ok "]
        assert texts(marked("un", "*believ", "able", " x", "* ok "), words=False) == ["believ", " ok "]


class TestMerging:
    @pytest.mark.parametrize("gap, expected", [(0, ["a", "c"]), (1, ["a b c"]), (2, ["a b c"])])
    def test_gap(self, gap: int, expected: list[str]) -> None:
        assert texts(marked("*a", " b", "* c", " d"), merge_gap=gap) == expected

    def test_padding_ends_with_the_text(self) -> None:
        tokens = [*marked("*a", " b", "*c"), TokenLogprob("<|end|>", -0.1)]
        assert texts(tokens, "a bc", pad=5) == ["a bc"]
        assert texts(tokens, "a bc", pad=5, words=False) == ["a bc"]


class TestWhichTokensCount:
    def test_punctuation_and_white_space_in_prose(self) -> None:
        assert texts(marked("one", "*,", "*\n", " two", "*—")) == []

    @pytest.mark.parametrize("prefix", ["{", " [", "```json\n{"])
    def test_punctuation_in_json_and_code(self, prefix: str) -> None:
        assert texts(marked(prefix, '"a"', "*:", "* ", "1")) == [":"]

    def test_punctuation_by_setting(self) -> None:
        assert texts(marked("one", "*,", " two"), punctuation=True) == [","]
        assert texts(marked("{", "*:", "1"), punctuation=False) == []

    def test_tokens_outside_the_text(self) -> None:
        tokens = marked("*<think>", "*wrong", "</think>", "right", "*<|im_end|>")
        assert texts(tokens, "right") == []

    def test_a_token_that_lies_in_two_words_joins_them(self) -> None:
        # ▁ in Latin-1, its last bytes in one token with the word behind it: both words hold that token.
        tokens = tokens_of(["â", -3.0], ["\x96\x81a", -0.1], ["b", -3.0, [], b"b"])
        (stretch,) = low_confidence_stretches(tokens, "▁ab", punctuation=True, merge_gap=0)
        assert (stretch.text, stretch.token_start, stretch.token_count) == ("▁ab", 0, 3)

    def test_an_emoji_is_no_word_though_its_escapes_are_letters(self) -> None:
        assert texts(tokens_of(*VECTOR_B)) == ["x"]

    def test_threshold_is_strict(self) -> None:
        tokens = tokens_of(["a", math.log(0.2)], [" b", 0.0], [" c", math.log(0.2) - 1e-6])
        expected = [" c"[1:]] if math.exp(math.log(0.2)) >= 0.2 else ["a b c"]
        assert texts(tokens) == expected
        assert texts(tokens_of(["a", 0.0], [" b", 5e-10], [" c", 1e-5]), threshold=1.0) == []
        assert texts(tokens_of(["a", -1e-10]), threshold=1.0) == ["a"]

    @pytest.mark.parametrize("logprob", [None, math.nan, -math.inf, math.inf, -9999.0, 0.7])
    def test_censored(self, logprob: float | None) -> None:
        [stretch] = low_confidence_stretches(tokens_of(["a", -0.1], [" b", logprob, [["c", -0.1]]]))
        assert (stretch.text, stretch.severity, stretch.censored_count) == ("b", "very_low", 1)
        assert (stretch.min_probability, stretch.mean_logprob, stretch.min_index) == (None, None, 1)
        assert stretch.alternatives[0].token == "c"


class TestNumbers:
    def test_all_of_it(self) -> None:
        tokens = tokens_of(["é ", -0.1], ["so", -2.0, [["x", -1.0]]], [" ho", -4.0, [["y", -0.5]]], [".", -0.1])
        [stretch] = low_confidence_stretches(tokens)
        assert stretch == Stretch(
            text="so ho", start=2, end=7, byte_start=3, byte_end=8, token_start=1, token_count=2, low_count=2,
            censored_count=0, min_probability=math.exp(-4), min_index=2, mean_logprob=-3.0, severity="very_low",
            alternatives=Tokens.of(tokens).alternatives_at(2),
        )  # fmt: skip

    @pytest.mark.parametrize("probability, severity", [(0.3, "watch"), (0.1, "low"), (0.04, "very_low")])
    def test_severity(self, probability: float, severity: str) -> None:
        [stretch] = low_confidence_stretches(tokens_of(["a", math.log(probability)]), threshold=0.5)
        assert stretch.severity == severity

    def test_censored_beside_scored(self) -> None:
        [stretch] = low_confidence_stretches(tokens_of(["a", -2.0], [" b", -9999.0]))
        assert (stretch.min_index, stretch.min_probability, stretch.severity) == (0, math.exp(-2), "very_low")
        assert stretch.mean_logprob == -2.0

    def test_what_was_read_and_a_list_made_by_hand_give_the_same(self) -> None:
        tokens = tokens_of(*VECTOR_B)
        assert low_confidence_stretches(Tokens.of(tokens)) == low_confidence_stretches(tokens)
        assert low_confidence_stretches(tuple(tokens), **FLARE) == low_confidence_stretches(tokens, **FLARE)

    def test_alignment_failed(self) -> None:
        [stretch] = low_confidence_stretches(marked("a", "* b"), "other")
        assert stretch.text == " b"
        assert (stretch.start, stretch.end, stretch.byte_start, stretch.byte_end) == (None,) * 4

    def test_alignment_handed_in(self) -> None:
        tokens = marked("a", "* b")
        assert low_confidence_stretches(tokens, align(tokens, "a b")) == low_confidence_stretches(tokens, "a b")


class TestTheWorst:
    TOKENS = tokens_of(["a", -2.0], [" b", 0], [" c", 0], [" d", -9999.0], [" e", 0], [" f", 0], [" g", -5.0])

    def test_in_the_order_of_the_text(self) -> None:
        assert texts(self.TOKENS, max_stretches=2) == ["d", "g"]
        assert texts(self.TOKENS, max_stretches=9) == ["a", "d", "g"]
        assert texts(self.TOKENS, max_stretches=0) == []

    def test_the_earlier_of_equals(self) -> None:
        every = low_confidence_stretches(marked("*a", " x", " y", "* b"))
        assert [stretch.text for stretch in worst_stretches(every, 1)] == ["a"]


class TestInput:
    def test_nothing_low(self) -> None:
        assert low_confidence_stretches([], "") == []
        assert low_confidence_stretches(marked("a"), "unrelated") == []

    @pytest.mark.parametrize("bad", [{"threshold": 0}, {"threshold": 1.5}, {"threshold": math.nan}, {"merge_gap": -1},
                                     {"max_stretches": -1}, {"pad": -1}])  # fmt: skip
    def test_bad_settings(self, bad: dict) -> None:
        with pytest.raises(ValueError, match=next(iter(bad))):
            low_confidence_stretches([], **bad)

    @settings(max_examples=examples(600))
    @given(
        st.lists(
            st.tuples(
                st.text(st.sampled_from("ab ,\n日é"), max_size=4), st.floats(-8, 0) | st.sampled_from([None, -9999.0])
            )
        ),
        st.booleans(),
        st.integers(0, 3),
        st.integers(0, 3),
    )
    def test_any_tokens(self, entries, words: bool, gap: int, pad: int) -> None:
        tokens = tokens_of(*entries)
        text = "".join(token.token for token in tokens)
        found = low_confidence_stretches(tokens, text, words=words, merge_gap=gap, pad=pad)
        for stretch in found:
            assert (
                stretch.text
                == text[stretch.start : stretch.end]
                == text.encode()[stretch.byte_start : stretch.byte_end].decode()
            )
            assert stretch.token_start <= stretch.min_index < stretch.token_start + stretch.token_count
            assert stretch.text.strip()
            if words:
                assert stretch.text == stretch.text.strip()
        if words:
            for before, after in itertools.pairwise(found):
                assert before.end is not None
                assert after.start is not None
                assert before.end <= after.start
                assert before.token_start + before.token_count <= after.token_start
