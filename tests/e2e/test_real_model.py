"""A real model on every path: what is on the spans is what HTTP carried, recorded underneath by a proxy."""

from __future__ import annotations

import math

import pytest

from tests.e2e.paths import PATHS, TOP
from tests.e2e.proxy import RecordingProxy
from tests.e2e.tracing import Traced, attributes, pairs, tokens

# The v3 streaming protocol says at each use that it is in beta.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")


@pytest.mark.parametrize("name", PATHS)
def test_spans_equal_what_http_carried(name: str, wire: RecordingProxy, traced: Traced) -> None:
    path = PATHS[name]

    path.run(wire.url, traced.config)

    traced.assert_complete()
    exchanges = wire.exchanges
    assert [each.status for each in exchanges] == [200] * path.calls
    assert all(each.pairs(choice) for each in exchanges for choice in range(path.choices))
    # Calls of a batch end in any order, so the pairs are compared as sets are.
    assert sorted(pairs(call) for call in traced.calls) == sorted(each.pairs() for each in exchanges)

    assert len(traced.roots) == (path.calls if len(path.spans) > 1 else len(traced.calls))
    for call in traced.calls:
        assert traced.path(call) == list(path.spans)
        found = attributes(call)
        assert found["logprobs.status"] == "recorded"
        assert found["logprobs.source"] == "openai.chat"  # llama.cpp's, in its completions too
        if found["logprobs.token.count"]:  # an answer may consist of an end mark only, which is not measured
            assert found["logprobs.entropy.top_k"] == TOP
        chunks = [event.attributes or {} for event in call.events if event.name == "logprobs.chunk"]
        assert bool(chunks) == path.streamed
        if path.streamed:
            assert [token for each in chunks for token in each["logprobs.tokens"]] == tokens(call)  # type: ignore[union-attr]
            times = [event.timestamp for event in call.events if event.name == "logprobs.chunk"]
            assert times == sorted(times)
            assert call.start_time is not None
            assert call.end_time is not None
            assert call.start_time <= times[0]
            assert times[-1] <= call.end_time


def test_each_of_several_choices_has_its_own_measures(wire: RecordingProxy, traced: Traced) -> None:
    PATHS["generate-n3"].run(wire.url, traced.config)

    (exchange,) = wire.exchanges
    (call,) = traced.calls
    choices = [event.attributes or {} for event in call.events if event.name == "logprobs.choice"]
    assert [each["logprobs.choice.index"] for each in choices] == [0, 1, 2]
    for index, each in enumerate(choices):
        carried = [value for _, value in exchange.measured(index)]
        assert each["logprobs.token.count"] == len(carried)
        assert each["logprobs.sum"] == pytest.approx(math.fsum(carried), rel=1e-12)
    everything = [value for index in range(3) for _, value in exchange.measured(index)]
    assert attributes(call)["logprobs.token.count"] == len(everything)
    end_marks = sum(len(exchange.pairs(index)) for index in range(3)) - len(everything)
    assert attributes(call).get("logprobs.token.outside_count", 0) == end_marks
    assert attributes(call)["logprobs.mean"] == pytest.approx(math.fsum(everything) / len(everything), rel=1e-12)
