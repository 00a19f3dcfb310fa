"""Beside each peer, in thirteen modes: its spans are as they were without us, and hold what we know of the calls.

Each peer runs twice in a process of its own, without us and with us, and the spans of both are compared.
"""

from __future__ import annotations

import functools
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from tests.peers.calls import MODES, REFUSED, SLOW, TOKENS, tokens_of
from tests.peers.scenario import Scenario

OURS = "langchain_logprobs"
OF_CLIENT = ("genai_openai", "openai_v2", "logfire")
"""Peers that know nothing of LangChain's runs: a call's span is the root of its trace."""
HERE = os.environ.get("LOGPROBS_PEERS", "")
"""The environment: a requirements file of this folder by its name, none where these tests are not meant to run."""
ALL = {
    "": (),
    "most": (
        "official",
        "openinference",
        "openllmetry",
        "langfuse",
        "genai_openai",
        "official_and_genai_openai",
        "logfire",
        "langsmith",
        "mlflow",
    ),
    "openai-v2": ("openai_v2",),
}[HERE]
JOINED = [peer for peer in ALL if peer not in ("langsmith", "mlflow")]
CANNOT = {
    (
        peer,
        "cancelled_ainvoke",
    ): "never ends its model call's span when the task is cancelled, so none is exported"
    for peer in ("openinference", "langfuse", "openai_v2")
}
"""Cells of the matrix in which nothing can be shown, and why."""


def here(peers: Sequence[str]) -> list[Any]:
    """The peers of this environment, each with all of its tests in one process of pytest's."""
    return [pytest.param(each, marks=pytest.mark.xdist_group(each)) for each in peers if each in ALL]


@functools.cache
def run(peer: str, ours: str, modes: tuple[str, ...] = (*MODES, "many"), **options: Any) -> Any:
    return Scenario(peer, ours, modes, **options).run()["modes"]


def known(span: Any) -> dict[str, Any]:
    """What a span says that is ours."""
    return {name: value for name, value in span["attributes"].items() if name.startswith("logprobs.")}


def calls_of(spans: list[Any]) -> list[Any]:
    return [span for span in spans if "logprobs.status" in span["attributes"]]


def roots_of(spans: list[Any]) -> list[Any]:
    return [span for span in spans if span["parent"] is None]


_CHANGES = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # run ids
    r"|\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT"  # an answer's date
    r"|127\.0\.0\.1:\d+|0x[0-9a-f]+|\d+\.\d+|\d{4}-\d\d-\d\dT[\d:.]+Z?|\b[0-9a-f]{32}\b|\b[0-9a-f]{16}\b"
)


def constant(value: Any) -> str:
    """A value without what differs between two runs of the same program: ids, ports, times."""
    return _CHANGES.sub("#", json.dumps(value, default=repr, sort_keys=True))


LATE = ("streaming response from {request_data[model]!r} took {duration:.2f}s",)
"""Spans of Logfire's that are made when a stream's generator is closed or collected, and say where that happened."""

_TIMES = re.compile(r"time|duration|latency|port\b|\.id$|_id$")


def shape(spans: list[Any]) -> Counter[Any]:
    """All that a peer's spans say, but for what is ours and what differs between two runs of the same program."""
    by_id = {span["id"]: span for span in spans}

    def path(span: Any) -> str:
        above = by_id.get(span["parent"])
        return span["name"] if above is None else f"{path(above)} > {span['name']}"

    return Counter(
        constant(
            [
                path(span),
                span["scope"],
                span["kind"],
                [str(each).partition("Traceback")[0] for each in span["status"]],  # its frames have one of ours
                {
                    name: None if _TIMES.search(name) else value
                    for name, value in span["attributes"].items()
                    if not name.startswith("logprobs.") and not (name.startswith("code.") and span["name"] in LATE)
                },
                [[name, sorted(attributes)] for name, attributes in span["events"] if not is_ours(name)],
                span["dropped"],
            ]
        )
        for span in spans
    )


def is_ours(event: str) -> bool:
    return event.startswith("logprobs.") or event == "gen_ai.evaluation.result"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("peer", here(JOINED))
def test_one_span_a_call_with_every_token_and_nothing_of_the_peers_changed(peer: str, mode: str) -> None:
    alone, found = run(peer, "", MODES)[mode], run(peer, "last")[mode]
    spans = found["spans"]
    assert [span for span in spans if span["scope"].startswith(OURS)] == []
    assert shape(spans) == shape(alone["spans"])  # its names, parents, kinds, states, attributes, usage
    assert found["left"] == 0
    for span in spans:
        assert found["started"] <= span["start"] <= span["end"] <= found["ended"]
    if (peer, mode) in CANNOT:
        assert calls_of(spans) == []
        return
    calls = calls_of(spans)
    assert len(calls) == len(found["asked"])
    check_tokens(calls, found["asked"])
    for root in roots_of(spans):
        below = [call for call in calls if call["trace"] == root["trace"]]
        if root not in calls and below and peer not in OF_CLIENT:
            # Several, where a peer's own leak hangs one run of a batch under another.
            runs = [known(span) for span in spans if span["trace"] == root["trace"] and span["name"] == root["name"]]
            assert sum(run["logprobs.llm_call.count"] for run in runs) == len(below)
            counts = [known(call).get("logprobs.token.count", 0) for call in below]
            assert sum(run["logprobs.token.count"] for run in runs) == sum(counts)


def check_tokens(calls: list[Any], asked: list[str]) -> None:
    """Each span has the tokens of its own call: all of them, or those that came before it was ended."""
    left = {question: tokens_of(question) for question in asked}
    for call in calls:
        said = known(call)
        status, tokens = said["logprobs.status"], said.get("logprobs.tokens", [])
        if asked in ([REFUSED], [SLOW]):
            assert (status, tokens) == ("partial", [])
            continue
        expected = left.pop(tokens[0])
        if status == "partial":
            assert asked == ["o"]
            assert tokens == expected[: len(tokens)]
        else:
            assert status == "recorded"
            assert tokens == expected
            assert len(said["logprobs.values"]) == TOKENS
            assert any(is_ours(name) for name, _ in call["events"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("peer", "ours"),
    [
        pytest.param(*pair, marks=pytest.mark.xdist_group(pair[0]))
        for pair in (
            ("official", "first"),
            ("openllmetry", "first"),
            ("genai_openai", "first"),
            ("openai_v2", "first"),
            ("official", "handler"),
            ("openinference", "handler"),
            ("openllmetry", "handler"),
            ("langfuse", "handler"),
        )
        if pair[0] in ALL
    ],
)
def test_whoever_is_first_and_by_the_handler_alone(peer: str, ours: str, mode: str) -> None:
    alone, found = run(peer, "", MODES)[mode], run(peer, ours)[mode]
    assert shape(found["spans"]) == shape(alone["spans"])
    assert found["left"] == 0
    if (peer, mode) not in CANNOT:
        assert len(calls_of(found["spans"])) == len(found["asked"])
        check_tokens(calls_of(found["spans"]), found["asked"])


@pytest.mark.parametrize("peer", here(JOINED))
def test_each_of_many_at_once_has_its_own_tokens(peer: str) -> None:
    found = run(peer, "last")["many"]
    calls = calls_of(found["spans"])
    assert len(calls) == 140
    check_tokens(calls, found["asked"])
    assert found["left"] == 0
    assert [span for span in found["spans"] if span["scope"].startswith(OURS)] == []


@pytest.mark.parametrize("peer", here([peer for peer in JOINED if peer != "logfire"]))  # which has its own sampling
def test_with_sampling_each_trace_is_whole_or_absent(peer: str) -> None:
    found = run(peer, "last", ("bare_model", "ainvoke"), ratio=0.5, repeat=30)
    for mode in found.values():
        spans = mode["spans"]
        assert [span for span in spans if span["scope"].startswith(OURS)] == []
        roots = {span["trace"] for span in roots_of(spans)}
        assert roots == {span["trace"] for span in spans}
        assert {call["trace"] for call in calls_of(spans)} == roots
        assert 1 < len(roots) < 29  # one time in ten million it is not
        assert mode["left"] == 0


@pytest.mark.parametrize("mode", ["invoke", "graph_invoke", "ainvoke", "graph_astream"])
@pytest.mark.parametrize("peer", here(["langsmith", "mlflow"]))
def test_where_a_peers_spans_are_out_of_reach_we_have_our_own(peer: str, mode: str) -> None:
    found = run(peer, "last", ("invoke", "graph_invoke", "ainvoke", "graph_astream"))[mode]
    spans = [span for span in found["spans"] if span["scope"].startswith(OURS)]
    check_tokens(calls_of(spans), found["asked"])
    assert len(calls_of(spans)) == 1
    (root,) = roots_of(spans)
    assert known(root)["logprobs.llm_call.count"] == 1
    assert (len(found["spans"]) > len(spans)) == (peer == "langsmith")  # MLflow's are in its own store


def test_what_differs_is_seen() -> None:
    span: dict[str, Any] = {
        "id": "1",
        "parent": None,
        "name": "chat",
        "scope": "peer",
        "kind": "CLIENT",
        "status": ["OK", None],
    }
    span |= {"attributes": {"model": "a"}, "events": [], "dropped": 0}
    for changed in (
        {"name": "chat 2"},
        {"status": ["ERROR", None]},
        {"attributes": {"model": "b"}},
        {"attributes": {"model": "a", "gen_ai.usage.output_tokens": 8}},
        {"events": [["exception", {}]]},
        {"dropped": 1},
        {"kind": "INTERNAL"},
    ):
        assert shape([span]) != shape([span | changed])
    assert shape([span]) == shape([span | {"attributes": {"model": "a", "logprobs.mean": -0.1}, "trace": "2"}])
    assert shape([span]) != shape([span, span | {"id": "2"}])
