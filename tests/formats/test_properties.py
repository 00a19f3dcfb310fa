"""Anything at all in any place of a container: nothing raises, and no well-formed neighbour is lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from langchain_logprobs.formats.answer import find_container, read_logprobs
from langchain_logprobs.formats.read import Reading, read_container, size_of
from langchain_logprobs.formats.tokens import Alternative, TokenLogprob


def read(container: Any, text: str | None = None) -> Reading:
    reading = Reading()
    read_container(container, reading, text)
    return reading


def pairs(tokens: Any) -> list[tuple[str, float | None]]:
    return [(each.token, each.logprob) for each in tokens]


KEYS = [
    *("content", "refusal", "reasoning_content", "tokens", "token_logprobs", "top_logprobs", "token_ids"),
    *("token", "logprob", "bytes", "prob", "top_probs", "logprobs_result", "decoded_token", "12", "x"),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**320), 10**320)
    | st.floats()
    | st.text(alphabet=st.characters(exclude_categories=()), max_size=8),  # lone surrogates too
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS) | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)
GOOD = {"token": "good", "logprob": -0.125, "bytes": [103], "top_logprobs": [{"token": "good", "logprob": -0.125}]}
GOOD_TOKEN = TokenLogprob("good", -0.125, b"g", (Alternative("good", -0.125),))


@given(JSON, st.none() | st.text())
def test_nothing_raises(container: Any, text: str | None) -> None:
    reading = read(container, text)
    assert all(type(each.token) is str for each in reading.tokens)
    assert all(each.logprob is None or type(each.logprob) is float for each in reading.tokens)
    assert not any(each.logprob != each.logprob for each in reading.tokens), "NaN says no more than None"
    assert size_of(container) >= 0
    for info in (container, {"logprobs": container}, {"logprobs_result": container}):
        find_container(info, SimpleNamespace(response_metadata=container))
    read_logprobs({"logprobs": container})


@given(st.lists(JSON, max_size=3), st.lists(JSON, max_size=3), st.sampled_from(["content", "refusal", None, "vertex"]))
def test_no_neighbour_of_anything_is_lost(before: list[Any], after: list[Any], where: str | None) -> None:
    entries: Any = [*before, GOOD, *after]
    container = {"logprobs_result": entries} if where == "vertex" else {where: entries} if where else entries
    assert GOOD_TOKEN in read(container).tokens


@given(JSON, JSON, JSON)
def test_wrong_values_cost_no_token(logprob: Any, raw_bytes: Any, tops: Any) -> None:
    reading = read(
        {"content": [GOOD, {"token": "x", "logprob": logprob, "bytes": raw_bytes, "top_logprobs": tops}, GOOD]}
    )
    assert [each.token for each in reading.tokens] == ["good", "x", "good"]
    assert reading.tokens[0] == reading.tokens[2] == GOOD_TOKEN


@given(st.lists(JSON, max_size=3), JSON, JSON, JSON)
def test_legacy_lists_lose_no_token(before: list[Any], logprobs: Any, tops: Any, ids: Any) -> None:
    container = {"tokens": [*before, "good"], "token_logprobs": logprobs, "top_logprobs": tops, "token_ids": ids}
    assert "good" in [each.token for each in read(container).tokens]


@given(st.lists(JSON, max_size=3), JSON)
def test_token_id_maps_lose_no_neighbour(others: list[Any], value: Any) -> None:
    others = [each for each in others if not isinstance(each, dict)]  # a dict can be an entry of another format
    reading = read([*others, {"12": -0.5}, {"13": value}])
    assert ("token_id:12", -0.5) in pairs(reading.tokens)
    assert reading.source == "bedrock"


@given(JSON, st.sampled_from(["content", "refusal", "reasoning_content"]), st.sampled_from(["content", "refusal"]))
def test_a_wrong_list_costs_no_other_list(wrong: Any, where: str, right: str) -> None:
    reading = read({where: wrong, right: [GOOD]})
    assert GOOD_TOKEN in reading.tokens


def test_very_many_tokens() -> None:
    container = {"content": [{**GOOD, "top_logprobs": [GOOD] * 20}] * 5_000}
    reading = read(container)
    assert len(reading.tokens) == size_of(container) == 5_000
    assert len(reading.tokens[-1].alternatives) == 20
