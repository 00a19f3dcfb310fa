"""What fits on a span: whatever the budgets, the parts that are left belong to each other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan

from langchain_logprobs import Settings
from langchain_logprobs.telemetry.layout import alternatives_size, strings_size
from tests.profile import examples
from tests.support import ScriptedModel, Traced, entry

LEAST = 10_000  # bytes: enough for what stands on a span whatever its size, and for some of the arrays


def span_of(entries: list[Any], chosen: Settings, *, stream: bool = True) -> ReadableSpan:
    traced = Traced(chosen)
    model = ScriptedModel(entries=entries)
    if stream:
        list(model.stream("hi", config=traced.config))
    else:
        model.invoke("hi", config=traced.config)
    return traced.call


def censored_answer(count: int, every: int = 1) -> list[Any]:
    return [entry(f" w{at}", -9999.0 if at % every == 0 else -0.5, (" other", -1.0)) for at in range(count)]


@pytest.mark.parametrize("every", [1, 2, 7])
@pytest.mark.parametrize("span_bytes", [LEAST, 12_345, 20_000])
def test_censored_positions_lie_in_the_arrays(every: int, span_bytes: int) -> None:
    attributes = span_of(censored_answer(2_000, every), Settings(span_bytes=span_bytes)).attributes
    assert attributes is not None
    recorded: Any = attributes["logprobs.tokens.recorded"]
    assert 0 < recorded < 2_000
    assert attributes["logprobs.token.censored_positions"] == tuple(range(0, recorded, every))
    assert attributes["logprobs.token.censored_count"] == len(range(0, 2_000, every))  # of the whole answer


def test_an_answer_that_fits_is_not_cut() -> None:
    attributes = span_of(censored_answer(50), Settings()).attributes
    assert attributes is not None
    assert "logprobs.tokens.recorded" not in attributes
    assert attributes["logprobs.token.censored_positions"] == tuple(range(50))


def test_exactly_as_much_is_kept_as_there_is_room_for() -> None:
    # A byte more of room is never a token less, and sooner or later one more.
    found = []
    for span_bytes in range(LEAST, LEAST + 60, 4):
        chosen = Settings(span_bytes=span_bytes, events="none", alternatives="none")
        attributes = span_of([entry(" ab", -0.01)] * 2_000, chosen, stream=False).attributes
        assert attributes is not None
        found.append(attributes["logprobs.tokens.recorded"])
    assert found == sorted(found)  # type: ignore[type-var]
    assert 60 // 19 <= found[-1] - found[0] <= 60 // 17 + 1  # type: ignore[operator]  # 18 bytes a token: 11 + 4 + 3


def test_without_text_the_room_is_for_numbers_alone() -> None:
    entries = [entry(" a longer word", -0.01)] * 2_000
    kept = []
    for capture_text in (True, False):
        chosen = Settings(span_bytes=LEAST, capture_text=capture_text, events="none", alternatives="none")
        attributes = span_of(entries, chosen, stream=False).attributes
        assert attributes is not None
        kept.append(attributes["logprobs.tokens.recorded"])
    assert kept[1] > 2 * kept[0]  # type: ignore[operator]


def test_events_that_are_not_on_the_span_take_no_room_on_it() -> None:
    # The summary, the answer in a line, the arrays and the arrivals fit; events beside them do not.
    chosen = {
        "detail_bytes": 4_000 + 1_000 + 2_000 * (11 + 4 + 3 + 6) + 500,
        "alternatives": "none",
        "capture_text": True,
    }
    entries = [entry(" ab", -0.01)] * 2_000
    thinned = {}
    for events in ("span", "none", "log"):
        attributes = span_of(entries, Settings(events=events, **chosen)).attributes  # type: ignore[arg-type]
        assert attributes is not None
        thinned[events] = "logprobs.chunk.starts" in attributes
    assert thinned == {"span": True, "none": False, "log": False}


def test_sizes_of_strings() -> None:
    assert strings_size([]) == 0
    assert strings_size(["a", "é", "😀"]) == 1 + 2 + 4 + 3 * 4
    assert strings_size(["\ud83d"]) == 1 + 4  # what UTF-8 cannot carry is replaced
    assert alternatives_size(["a", "b"]) == strings_size(["a", "b"]) + 2 * (6 + 11)


words = st.text(min_size=1, max_size=12)
tokens = st.builds(
    lambda token, logprob, others: entry(token, logprob, *others),
    words.filter(lambda text: not any("\ud800" <= each <= "\udfff" for each in text)),
    st.floats(-5.0, 0.0) | st.just(-9999.0),
    st.lists(st.tuples(st.sampled_from(["x", "y", "zebra"]), st.floats(-8.0, 0.0)), max_size=3),
)


@settings(max_examples=examples(200))
@given(
    st.lists(tokens, min_size=1, max_size=12),
    st.sampled_from([1, 3, 20, 100]),
    st.builds(
        Settings,
        span_bytes=st.integers(4_096, 40_000),
        detail_bytes=st.integers(0, 40_000),
        max_chunk_events=st.integers(1, 128),
        max_stretches=st.integers(0, 40),
        alternatives=st.sampled_from(["none", "low", "all"]),
        events=st.sampled_from(["span", "none"]),
        capture_text=st.booleans(),
    ),
    st.booleans(),
)
def test_whatever_fits_belongs_together(some: list[Any], times: int, chosen: Settings, stream: bool) -> None:
    entries = some * times
    span = span_of(entries, chosen, stream=stream)
    attributes: Any = span.attributes
    values = attributes["logprobs.values"]
    recorded = attributes.get("logprobs.tokens.recorded", len(entries))
    assert len(values) == recorded
    assert len(attributes.get("logprobs.tokens", values)) == recorded
    for name in ("logprobs.token.censored_positions", "logprobs.alternatives.positions"):
        positions = attributes.get(name, ())
        assert all(0 <= position < recorded for position in positions), name
        assert list(positions) == sorted(positions), name
    count = len(attributes.get("logprobs.alternatives.positions", ()))
    assert len(attributes.get("logprobs.alternatives.values", ())) == count
    offsets = attributes.get("logprobs.chunk.offsets_us", ())
    assert len(offsets) == len(attributes.get("logprobs.chunk.starts", offsets))
    assert bool(offsets) is stream
    assert list(offsets) == sorted(offsets)
    chunks = [event for event in span.events if event.name == "logprobs.chunk"]
    assert len(chunks) <= chosen.max_chunk_events
    if chunks and "logprobs.chunk" not in attributes.get("logprobs.left_out", ()):
        assert sum(event.attributes["logprobs.token.count"] for event in chunks) == len(entries)  # type: ignore[misc,index]
    stretches = [event for event in span.events if event.name == "logprobs.low_confidence"]
    assert len(stretches) <= chosen.max_stretches
    if chosen.events == "none":
        assert span.events == ()
