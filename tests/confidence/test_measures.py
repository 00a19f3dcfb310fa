"""The golden vectors (run on the peers' own code) and what must hold for any tokens."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_logprobs import Alternative, Measures, TokenLogprob, measure
from langchain_logprobs.formats.entries import Reading
from langchain_logprobs.formats.read import read_container
from tests.profile import examples
from tests.token_lists import VECTOR_C

# fmt: off
A = [
    ["Paris", -0.05, [["Paris", -0.05], ["The", -3.4], ["It", -5.1], ["Lyon", -6.2], ["France", -6.9]]],
    [" is", -0.9, [[" is", -0.9], [",", -1.1], [" was", -2.3], [" (", -3.6], [".", -4.0]]],
    [" the", -0.3, [[" the", -0.3], [" a", -1.8], [" located", -3.2], [" one", -4.4], [" France", -5.0]]],
    [" capital", -0.01,
     [[" capital", -0.01], [" largest", -5.2], [" city", -6.1], [" most", -7.0], [" Capital", -8.2]]],
    [".", -1.6, [[" of", -0.4], [".", -1.6], [",", -3.9], [" city", -4.4], ["\n", -4.8]]],
]
B = [
    ["Hi", -0.2, [["Hi", -0.2], ["Hello", -1.9], ["Hey", -4.0]]],
    [" \\xf0\\x9f\\x8c", -2.5, [["!", -0.6], [",", -1.4], [".", -2.3]]],
    ["\\x8d", 0.0, [["\\x8d", 0.0], ["\\x8e", -9999.0], ["\\x8f", -9999.0]]],
    [" x", -9999.0, [[" and", -0.1], [" or", -2.6], ["!", -5.0]]],
    ["!", -0.7, []],
]
# fmt: on

GOLDEN = {
    "A": (
        A,
        Measures(
            token_count=5, scored_count=5, censored_count=0, sum_logprob=-2.86, mean_logprob=-0.572,
            confidence=0.5643955181193583, perplexity=1.7718071244295743, min_logprob=-1.6,
            min_probability=0.20189651799465538, min_index=4, low_count=0, low_ratio=0.0,
            entropy_mean=0.5816838719489963, entropy_max=1.1342941827620652, covered_mass_mean=0.9513863138452725,
            top_k=5, margin_mean=0.604006172082486, off_top1_ratio=0.2,
        ),
    ),
    "B": (
        B,
        Measures(
            token_count=5, scored_count=4, censored_count=1, sum_logprob=-3.4, mean_logprob=-0.85,
            confidence=0.4274149319487267, perplexity=math.exp(0.85), min_logprob=-2.5,
            min_probability=0.0820849986238988, min_index=1, low_count=1, low_ratio=0.25,
            entropy_mean=0.4872011077866729, entropy_max=1.1103305682968605, covered_mass_mean=0.9875540992052663,
            top_k=3, margin_mean=0.7004851614573481, off_top1_ratio=0.5,
        ),
    ),
    "C": (
        VECTOR_C,
        Measures(
            token_count=16, scored_count=16, censored_count=0, sum_logprob=-2.1877, mean_logprob=-0.13673125,
            confidence=0.8722045996229095, perplexity=1.146519979867501, min_logprob=-0.8,
            min_probability=0.44932896411722156, min_index=8, low_count=0, low_ratio=0.0,
            entropy_mean=0.24034647709862583, entropy_max=1.0115229889882262, covered_mass_mean=0.9945567272785945,
            top_k=3, margin_mean=0.8143351347995829, off_top1_ratio=0.0,
        ),
    ),
}  # fmt: skip


def vector(rows: list[list[Any]]) -> list[TokenLogprob]:
    return [
        TokenLogprob(token, logprob, None, tuple(Alternative(*other) for other in others))
        for token, logprob, others in rows
    ]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_vectors(name: str) -> None:
    rows, expected = GOLDEN[name]
    for key, value in dataclasses.asdict(expected).items():
        assert getattr(measure(vector(rows)), key) == pytest.approx(value, rel=0, abs=1e-12), key


def test_nothing_to_measure_is_none_and_never_zero() -> None:
    empty = dataclasses.asdict(measure([]))
    counts = {key: empty.pop(key) for key in ("token_count", "scored_count", "censored_count", "low_count")}
    assert set(counts.values()) == {0}
    assert set(empty.values()) == {None}


def test_only_censored_tokens_have_no_mean() -> None:
    tokens = [TokenLogprob("a", value) for value in (None, math.nan, -math.inf, -9999.0, -9998.0, 0.6997, math.inf)]
    measures = measure(tokens)
    assert (measures.token_count, measures.scored_count, measures.censored_count) == (7, 0, 7)
    assert measures.mean_logprob is measures.min_index is measures.perplexity is None


def test_rounding_above_zero_is_certainty() -> None:
    measures = measure([TokenLogprob("a", 5e-5), TokenLogprob("b", -0.0)])
    assert (measures.confidence, measures.censored_count, str(measures.mean_logprob)) == (1.0, 0, "0.0")


def test_a_perplexity_too_large_for_a_float_is_none() -> None:
    measures = measure([TokenLogprob("a", -9000.0)])
    assert measures.perplexity is None
    assert (measures.confidence, measures.min_logprob) == (0.0, -9000.0)


def test_a_hundred_thousand_tokens_do_not_underflow() -> None:
    measures = measure([TokenLogprob("a", -2.0)] * 100_000)
    assert (measures.mean_logprob, measures.sum_logprob) == (-2.0, -200_000.0)
    assert measures.confidence == math.exp(-2.0)


def test_one_alternative_has_no_margin() -> None:
    measures = measure([TokenLogprob("a", -0.5, None, (Alternative("a", -0.5),))])
    assert (measures.margin_mean, measures.top_k, measures.off_top1_ratio) == (None, 1, 0.0)


def test_positions_whose_alternatives_are_all_sentinels_are_left_out() -> None:
    measures = measure([TokenLogprob("a", -0.5, None, (Alternative("b", -9999.0), Alternative("c", None)))])
    assert measures.entropy_mean is measures.top_k is measures.off_top1_ratio is None


any_logprob = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(min_value=-9997.0, max_value=0.0),
    st.sampled_from([-9999.0, -9998.0, 0.0, -0.0, 1e-4, 5e-324, -5e-324, 1.7e308]),
)
any_token = st.builds(
    TokenLogprob,
    st.sampled_from(["a", "b", "", "\ufffd"]),
    any_logprob,
    st.none() | st.binary(max_size=3),
    st.lists(st.builds(Alternative, st.sampled_from(["a", "b", "c", ""]), any_logprob), max_size=6).map(tuple),
)


@settings(max_examples=examples(1_000))
@given(st.lists(any_token, max_size=12), st.randoms(use_true_random=False))
def test_any_input_gives_finite_numbers_and_order_of_alternatives_changes_nothing(tokens, random) -> None:
    measures = measure(tokens)
    for name, value in dataclasses.asdict(measures).items():
        assert value is None or math.isfinite(value), name
    assert measures.scored_count + measures.censored_count == measures.token_count == len(tokens)
    shuffled = [
        token._replace(alternatives=tuple(random.sample(token.alternatives, len(token.alternatives))))
        for token in tokens
    ]
    assert measure(shuffled) == measures


def is_honest(logprob: float | None) -> TypeGuard[float]:
    return (
        logprob is not None
        and math.isfinite(logprob)
        and -9998.0 < logprob <= 1e-4
        and logprob not in (-100.0, -1000.0)
    )


@settings(max_examples=examples(300))
@given(st.lists(st.floats(min_value=-9997.0, max_value=0.0).filter(is_honest), min_size=1, max_size=30))
def test_the_measures_agree_with_each_other(logprobs) -> None:
    measures = measure([TokenLogprob("t", logprob) for logprob in logprobs])
    assert measures.min_logprob == min(logprobs)
    assert measures.min_logprob <= measures.mean_logprob <= 0.0  # type: ignore[operator]
    assert measures.low_count == sum(logprob < math.log(0.2) for logprob in logprobs)


def plain(rows: list[list[object]]) -> Sequence[TokenLogprob]:
    """The same tokens as a provider sends them."""
    entries = [
        {
            "token": token,
            "logprob": logprob,
            "bytes": list(str(token).encode()),
            "top_logprobs": [
                {"token": other, "logprob": value, "bytes": list(str(other).encode())}
                for other, value in others  # type: ignore[attr-defined]
            ],
        }
        for token, logprob, others in rows
    ]
    reading = Reading()
    read_container({"content": entries, "refusal": None}, reading)
    return reading.tokens


@pytest.mark.parametrize("name", GOLDEN)
def test_what_a_provider_sent_and_a_list_made_by_hand_measure_the_same(name: str) -> None:
    rows, _ = GOLDEN[name]
    assert measure(plain(rows)) == measure(vector(rows))
    assert measure(list(plain(rows))) == measure(vector(rows))


def by_the_book(tokens: list[TokenLogprob], low_probability: float = 0.2) -> dict[str, float | None]:
    """The measures as their definitions say, token by token, with a second code of their own."""
    scored = [min(token.logprob, 0.0) for token in tokens if is_honest(token.logprob)]
    masses, entropies, margins, off_top1, widths = [], [], [], [], []
    for token in tokens:
        tops = [math.exp(min(a.logprob, 0.0)) for a in token.alternatives if is_honest(a.logprob)]
        logs = [min(a.logprob, 0.0) for a in token.alternatives if is_honest(a.logprob)]
        if not logs:
            continue
        widths.append(len(token.alternatives))
        if len(token.alternatives) > 1:
            first, second = sorted([*tops, 0.0], reverse=True)[:2]
            margins.append(first - second)
        off_top1.append(not is_honest(token.logprob) or min(token.logprob, 0.0) < max(logs))
        namesakes = [a for a in token.alternatives if a.token == token.token]
        if not token.token or "\ufffd" in token.token:
            namesakes = [a for a in namesakes if None in (a.bytes, token.bytes) or a.bytes == token.bytes]
        if not namesakes and is_honest(token.logprob):
            logs.append(min(token.logprob, 0.0))
        masses.append(min(1.0, math.fsum(map(math.exp, logs))))
        entropies.append(-math.fsum(math.exp(each) * each for each in logs))

    def mean(values: Sequence[float]) -> float | None:
        return math.fsum(values) / len(values) if values else None

    lowest = min(scored, default=None)
    return {
        "token_count": len(tokens),
        "scored_count": len(scored),
        "censored_count": len(tokens) - len(scored),
        "sum_logprob": math.fsum(scored) if scored else None,
        "mean_logprob": mean(scored),
        "min_logprob": lowest,
        "min_index": None
        if lowest is None
        else next(i for i, t in enumerate(tokens) if is_honest(t.logprob) and min(t.logprob, 0.0) == lowest),
        "low_count": sum(each < math.log(low_probability) for each in scored),
        "entropy_mean": mean(entropies),
        "entropy_max": max(entropies, default=None),
        "covered_mass_mean": mean(masses),
        "top_k": max(widths, default=None),
        "margin_mean": mean(margins),
        "off_top1_ratio": mean(off_top1),
    }


@settings(max_examples=examples(500))
@given(
    st.lists(any_token, max_size=12)
    | st.lists(
        any_token.map(
            lambda token: token._replace(alternatives=(*token.alternatives, *[Alternative("z", -3.0)] * 6)[:6])
        ),
        max_size=12,
    )
)
def test_any_tokens_measure_as_the_definitions_say(tokens: list[TokenLogprob]) -> None:
    measures = measure(tokens)
    for name, value in by_the_book(tokens).items():
        if value is None:
            assert getattr(measures, name) is None, name
        else:
            assert getattr(measures, name) == pytest.approx(value, rel=1e-12, abs=1e-12), name


# fmt: off
SHAPES: dict[str, list[list[Any]]] = {
    "ragged": [["a", -0.1, [["a", -0.1], ["b", -3.0]]], ["b", -0.5, []], ["c", -2.0, [["d", -0.2]]]],
    "the best one is last": [["a", -1.5, [["a", -1.5], ["b", -0.5]]], ["b", -0.1, [["a", -3.0], ["b", -0.1]]]],
    "a position without a usable one":
        [["a", -0.1, [["a", -9999.0], ["b", None]]], ["b", -0.1, [["b", -0.1], ["c", -4.0]]]],
    "nothing usable": [["a", -0.1, [["a", -9999.0]]], ["b", None, [["b", math.inf]]]],
    "the token is censored": [["a", -9999.0, [["b", -0.1], ["a", -9999.0]]], ["b", None, [["b", -0.1], ["c", -4.0]]]],
    "rounding noise": [["a", 5e-5, [["a", 5e-5], ["b", -12.0]]], ["b", 1e-4, [["b", 1e-4], ["c", 2e-5]]]],
    "the token is not among them": [["a", -5.0, [["b", -0.1], ["c", -4.0]]], ["", -0.2, [["b", -0.3], ["", -0.2]]]],
    "one alternative": [["a", -0.5, [["a", -0.5]]], ["b", -0.2, [["c", -0.1]]]],
}
# fmt: on


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_measures_as_the_definitions_say(name: str) -> None:
    tokens = vector(SHAPES[name])
    expected = by_the_book(tokens)
    assert {key: getattr(measure(tokens), key) for key in expected} == {
        key: value if value is None else pytest.approx(value, rel=1e-12, abs=1e-15) for key, value in expected.items()
    }


def test_parts_of_characters_that_share_a_spelling_are_told_apart_by_their_bytes() -> None:
    others = (Alternative("\ufffd", -0.25, b"\xf0"), Alternative("x", -3.0, b"x"))
    same = measure([TokenLogprob("\ufffd", -0.25, b"\xf0", others)])
    another = measure([TokenLogprob("\ufffd", -2.0, b"\xe2", others)])
    unknown = measure([TokenLogprob("\ufffd", -0.25, None, others)])
    assert same.covered_mass_mean == unknown.covered_mass_mean == math.exp(-0.25) + math.exp(-3.0)
    assert another.covered_mass_mean == pytest.approx(math.exp(-0.25) + math.exp(-3.0) + math.exp(-2.0))


def test_one_wide_position_costs_no_more_than_its_size() -> None:
    wide = TokenLogprob("a", -0.1, None, tuple(Alternative(str(index), -20.0) for index in range(20_000)))
    narrow = TokenLogprob("b", -0.1, None, (Alternative("b", -0.1),))
    measures = measure([wide, *[narrow] * 2_000])
    assert (measures.top_k, measures.token_count) == (20_000, 2_001)
