"""Tokens: columns inside, a list of TokenLogprob to whoever looks at them."""

from __future__ import annotations

import copy
import math
import pickle
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_logprobs import low_confidence_stretches, measure
from langchain_logprobs.formats.columns import Columns, usable_logprob
from langchain_logprobs.formats.tokens import (
    Alternative,
    TokenLogprob,
    Tokens,
    flatten_alternatives,
    texts_of,
)
from tests.profile import examples

A = TokenLogprob("a", -0.5, b"a", (Alternative("a", -0.5, b"a"), Alternative("b", -9999.0)))
B = TokenLogprob("b", None)
C = TokenLogprob("c", 5e-5, None, (Alternative("c", 5e-5), Alternative("d", None), Alternative("e", -1.0)))
D = TokenLogprob("d", -9999.0, b"\xf0")


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, -9998.0, -9999.0, 0.001])
def test_what_is_no_honest_logprob(value: float | None) -> None:
    assert usable_logprob(value) is None


@pytest.mark.parametrize(
    ("value", "usable"), [(-0.5, -0.5), (-9997.9, -9997.9), (0.0, 0.0), (1e-4, 0.0), (5e-324, 0.0), (-3, -3.0)]
)
def test_what_is_an_honest_logprob(value: float, usable: float) -> None:
    assert usable_logprob(value) == usable
    assert type(usable_logprob(value)) is float


def test_columns_of_a_list_made_by_hand() -> None:
    tokens = Tokens.of([A, B, C, D])
    assert tokens.texts == ["a", "b", "c", "d"]
    assert list(map(repr, tokens.logprobs)) == ["-0.5", "nan", "0.0", "nan"]
    assert tokens.censored == {1: None, 3: -9999.0}
    assert [tokens.bytes_at(index) for index in range(4)] == [b"a", None, None, b"\xf0"]
    assert tokens.stops == [2, 2, 5, 5]
    assert tokens.alternatives.texts == ["a", "b", "c", "d", "e"]
    assert list(map(repr, tokens.alternatives.logprobs)) == ["-0.5", "nan", "0.0", "nan", "-1.0"]
    assert tokens.alternatives.censored == {1: -9999.0, 3: None}
    assert tokens.alternatives_at(2).texts == ["c", "d", "e"]
    assert tokens.alternatives_at(0).logprobs[0] == -0.5
    assert tokens.width is None
    assert Tokens.of(tokens) is tokens


@pytest.mark.parametrize(
    ("tokens", "width"), [([], 0), ([B], 0), ([B, D], 0), ([A, A], 2), ([C], 3), ([A, B], None), ([B, A], None)]
)
def test_how_many_alternatives_each_token_has(tokens: list[TokenLogprob], width: int | None) -> None:
    assert Tokens.of(tokens).width == width


def test_a_sequence_of_what_was_sent() -> None:
    tokens = Tokens.of([A, B, C, D])
    items = [A, B, C, D]
    assert tokens == items
    assert list(tokens) == items
    assert [tokens[index] for index in (0, -1, 2)] == [A, D, C]
    assert tokens != [A, B, C]
    assert tokens != "abcd"
    assert repr(tokens) == repr(items)
    assert pickle.loads(pickle.dumps(tokens)) == tokens
    assert copy.deepcopy(tokens) == tokens
    assert tokens.index(C) == 2
    assert list(reversed(tokens)) == items[::-1]
    with pytest.raises(IndexError):
        tokens[4]
    with pytest.raises(TypeError):
        hash(tokens)


def test_alternatives_are_a_sequence_of_what_was_sent() -> None:
    alternatives = Tokens.of([B, C])[1].alternatives
    assert alternatives == C.alternatives
    assert C.alternatives == alternatives
    assert alternatives != [*C.alternatives]
    assert alternatives[1] == Alternative("d", None)
    assert alternatives[1:] == C.alternatives[1:]
    assert hash(alternatives) == hash(C.alternatives)
    assert repr(alternatives) == repr(C.alternatives)
    assert pickle.loads(pickle.dumps(alternatives)) == C.alternatives
    assert not Tokens.of([B])[0].alternatives


def test_parts_of_an_answer() -> None:
    tokens = Tokens.of([A, B, C, D])
    for positions in ([], [0], [3], [1, 2], [0, 3], [2, 0], [1, 1], [0, 1, 2, 3]):
        part = tokens.select(positions)
        assert part == [[A, B, C, D][position] for position in positions]
        assert part.censored == {at: [A, B, C, D][position].logprob for at, position in enumerate(positions)
                                 if position in (1, 3)}  # fmt: skip
    assert tokens[1:] == [B, C, D]
    assert tokens[::-2] == [D, B]
    assert tokens[5:] == []
    together = Tokens()
    for part in (tokens, Tokens(), tokens[2:]):
        together.extend(part)
    assert together == [A, B, C, D, C, D]
    assert together.alternatives.rounded == {2: 5e-5, 5: 5e-5}
    assert tokens == [A, B, C, D], "the parts are copies"


def test_alternatives_of_several_positions() -> None:
    tokens = Tokens.of([A, B, C, D])
    positions, texts, logprobs = flatten_alternatives(tokens, [0, 1, 2])
    assert (positions, texts) == ([0, 0, 2, 2, 2], ["a", "b", "c", "d", "e"])
    assert list(map(repr, logprobs)) == ["-0.5", "nan", "0.0", "nan", "-1.0"]
    assert flatten_alternatives(tokens, [1]) == ([], [], [])


def test_other_kinds_of_numbers_are_floats_in_the_columns() -> None:
    half: Any = Fraction(-1, 2)  # as numpy's floats, which community LlamaCpp hands on: a Real that is no float
    tokens = Tokens.of([TokenLogprob("a", -1), TokenLogprob("b", half), TokenLogprob("c", math.nan)])
    assert list(map(repr, tokens.logprobs)) == ["-1.0", "-0.5", "nan"]
    assert tokens[2].logprob is None, "NaN says no more than None"
    assert texts_of(tokens) == texts_of(list(tokens)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "wrong",
    [
        "text",
        ["a"],
        [("a", -1.0, None, ())],
        [[A]],
        [Tokens.of([A])],
        [A, None],
        [TokenLogprob("a", -1.0, None, (("b", -1.0),))],  # type: ignore[arg-type]
        [TokenLogprob(5, -1.0)],  # type: ignore[arg-type]
        [TokenLogprob("a", "-1.0")],  # type: ignore[arg-type]
        {"logprobs": {"content": []}},
    ],
)
def test_what_is_no_answers_tokens_is_refused(wrong: Any) -> None:
    for ask in (Tokens.of, measure, low_confidence_stretches):
        with pytest.raises(TypeError):
            ask(wrong)


def test_the_refusal_says_what_to_give() -> None:
    with pytest.raises(
        TypeError, match=r"of type Tokens where a TokenLogprob should be: .* read_logprobs\(message\)\[0\]"
    ):
        measure([Tokens.of([A])])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"its logprob a number of nats or None: .*str"):
        measure([TokenLogprob("a", "-1.0")])  # type: ignore[arg-type]


raw_logprob = st.none() | st.floats() | st.floats(-20.0, 0.0) | st.sampled_from([-9999.0, -9998.0, 1e-4, 5e-5, -0.0])
alternative = st.builds(Alternative, st.text(max_size=2), raw_logprob, st.none() | st.binary(max_size=2))
token = st.builds(
    TokenLogprob,
    st.text(max_size=2),
    raw_logprob,
    st.none() | st.binary(max_size=2),
    st.lists(alternative, max_size=3).map(tuple),
)


def without_nan(tokens: list[TokenLogprob]) -> list[TokenLogprob]:
    def known(logprob: float | None) -> float | None:
        return None if logprob is None or math.isnan(logprob) else logprob

    return [
        each._replace(
            logprob=known(each.logprob),
            alternatives=tuple(other._replace(logprob=known(other.logprob)) for other in each.alternatives),
        )
        for each in tokens
    ]


@settings(max_examples=examples(300))
@given(st.lists(token, max_size=6), st.data())
def test_columns_lose_nothing(tokens: list[TokenLogprob], data: st.DataObject) -> None:
    columns = Tokens.of(tokens)
    expected = without_nan(tokens)
    assert columns == expected
    positions = data.draw(st.lists(st.sampled_from(range(len(tokens))), max_size=6)) if tokens else []
    assert columns.select(positions) == [expected[position] for position in positions]
    for part in (columns, columns.alternatives):
        for position, logprob in enumerate(part.logprobs):
            if position in part.censored:
                assert math.isnan(logprob)
                assert usable_logprob(part.censored[position]) is None
            else:
                assert -9998.0 < logprob <= 0.0
    one_by_one = Tokens()
    for each in tokens:
        one_by_one.add(*each)
    assert one_by_one == expected
    assert (one_by_one.stops, one_by_one.censored) == (columns.stops, columns.censored)


def test_columns_begin_empty() -> None:
    assert (len(Columns()), len(Tokens()), Tokens().logprobs) == (0, 0, [])
