"""Anything at all in any place of a container: nothing raises, and no well-formed neighbour is lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_logprobs.formats.answer import find_container, read_logprobs
from langchain_logprobs.formats.entries import Reading, read_entries, read_plain
from langchain_logprobs.formats.read import FORMATS, size_of
from langchain_logprobs.formats.tokens import Alternative, TokenLogprob, Tokens
from tests.formats.reading import pairs, read
from tests.profile import examples

KEYS = [
    *("content", "refusal", "reasoning_content", "tokens", "token_logprobs", "top_logprobs", "token_ids"),
    *("token", "logprob", "bytes", "prob", "top_probs", "logprobs_result", "decoded_token", "12", "x"),
    *(
        "text",
        "top_tokens",
        "output_token_logprobs",
        "output_top_logprobs",
        "completion_probabilities",
        "probs",
        "tok_str",
    ),
    *("chosenCandidates", "topCandidates", "candidates", "logProbability", "meta_info", "details", "log_probs"),
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
    for key in ("logprobs", "logprobs_result", "completion_probabilities", "meta_info", "details", "token_logprobs"):
        found = find_container(
            {key: container}, SimpleNamespace(response_metadata=container, additional_kwargs=container)
        )
        read(found, text)
        read_logprobs({key: container})
    find_container(container, SimpleNamespace(response_metadata=container, additional_kwargs=container))


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


LOGPROB = (
    st.floats(max_value=0.0) | st.floats() | st.sampled_from([-9999.0, -9998.0, 5e-5, 1e-4, 0.0, -0.0, None, -1, 0])
)
BYTES = st.none() | st.lists(st.integers(0, 255), max_size=3) | JSON
TOP = st.fixed_dictionaries(
    {"token": st.text(max_size=3), "logprob": LOGPROB}, optional={"bytes": BYTES, "prob": JSON, "top_logprobs": JSON}
)
ENTRY = st.fixed_dictionaries(
    {"token": st.text(max_size=3), "logprob": LOGPROB, "top_logprobs": st.lists(TOP, max_size=3)},
    optional={"bytes": BYTES, "prob": JSON, "top_probs": JSON},
)
PLAIN_TOP = st.fixed_dictionaries(
    {"token": st.text(max_size=3), "logprob": st.floats(allow_nan=False)}, optional={"bytes": BYTES}
)
PLAIN = st.fixed_dictionaries(
    {
        "token": st.text(max_size=3),
        "logprob": st.floats(allow_nan=False),
        "top_logprobs": st.lists(PLAIN_TOP, max_size=3),
    },
    optional={"bytes": st.none() | st.lists(st.integers(0, 255), max_size=3)},
)


def carefully(entries: list[Any]) -> Tokens:
    tokens = Tokens()
    read_entries(entries, tokens, Reading())
    return tokens


def assert_same_columns(first: Tokens, second: Tokens) -> None:
    assert first == second
    assert first.stops == second.stops
    for one, other in ((first, second), (first.alternatives, second.alternatives)):
        assert one.texts == other.texts
        assert list(map(repr, one.logprobs)) == [repr(each) for each in other.logprobs], "NaN is not equal to itself"
        assert one.censored == other.censored
    assert first.alternatives.rounded == second.alternatives.rounded


@settings(max_examples=examples(500))
@given(st.lists(PLAIN, max_size=4))
def test_plain_entries_are_read_the_quick_way_into_the_same_columns(entries: list[Any]) -> None:
    quick = read_plain(entries)
    assert quick is not None
    assert_same_columns(quick, carefully(entries))


@settings(max_examples=examples(500))
@given(st.lists(PLAIN | ENTRY | JSON, max_size=4))
def test_what_is_read_the_quick_way_is_read_the_careful_way_alike(entries: list[Any]) -> None:
    quick = read_plain(entries)
    if quick is not None:
        assert_same_columns(quick, carefully(entries))


@given(JSON, st.none() | st.text())
def test_what_a_format_can_size_it_reads(container: Any, text: str | None) -> None:
    for wire_format in FORMATS:
        assert wire_format.read(container, text, Reading()) == (wire_format.size(container) is not None)
