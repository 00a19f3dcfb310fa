"""A batch goes out in parts of at most so many bytes, in order; each is sent whatever becomes of the others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from langchain_logprobs.otlp import MAX_BYTES, SplittingOTLPSpanExporter, SplittingSpanExporter
from langchain_logprobs.telemetry.encoded_size import origin_size, span_size

RESOURCE = Resource({"service.name": "a service", "process.pid": 17})
SCOPE = InstrumentationScope("a scope", "1.0", "https://schema", {"a": True})
STATE = TraceState([("vendor", "value"), ("other", "x")])
CONTEXT = SpanContext(2**127 + 1, 2**63 + 1, False, TraceFlags(1), STATE)


def span(name: str = "chat", attributes: Mapping[str, Any] | None = None, **more: Any) -> ReadableSpan:
    return ReadableSpan(
        name,
        CONTEXT,
        CONTEXT,
        more.pop("resource", RESOURCE),
        attributes,
        kind=SpanKind.CLIENT,
        instrumentation_scope=more.pop("scope", SCOPE),
        start_time=2**60,
        end_time=2**60 + 5,
        **more,
    )


def encoded(spans: Sequence[ReadableSpan]) -> int:
    return len(encode_spans(spans).SerializeToString())


TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=12),
    st.sampled_from(["a" * 200, "é" * 130, "\U0001f600" * 40, "x" * 20_000]),
)
SCALARS = st.one_of(
    TEXTS, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(width=64), st.binary(max_size=300)
)
ARRAYS = st.one_of(
    st.lists(TEXTS, max_size=40),
    st.lists(st.floats(), max_size=40),
    st.lists(st.integers(-5, 5), max_size=40),
    st.lists(st.booleans(), max_size=9),
    st.lists(SCALARS, max_size=5),
    st.lists(st.lists(SCALARS, max_size=3), max_size=3),
)
VALUES = st.one_of(SCALARS, ARRAYS, st.none(), st.dictionaries(TEXTS, SCALARS, max_size=3))
ATTRIBUTES = st.one_of(st.none(), st.dictionaries(TEXTS, VALUES, max_size=6))


@given(
    name=TEXTS,
    attributes=ATTRIBUTES,
    event=ATTRIBUTES,
    status=st.one_of(st.none(), TEXTS),
    resource=st.dictionaries(TEXTS, SCALARS, max_size=3),
    bare=st.booleans(),
)
def test_the_size_is_never_too_small(name: str, attributes: Any, event: Any, status: Any, resource: Any, bare: Any):
    made = span(
        name,
        attributes,
        events=[Event("an event", event, 2**60), Event("", None, 1)],
        links=() if bare else [Link(CONTEXT, {"a": "b"})],
        status=Status(StatusCode.ERROR, status),
        resource=Resource(resource, None if bare else "https://schema"),
        scope=None if bare else SCOPE,
    )
    exact, said = encoded([made]), span_size(made) + origin_size(made)
    assert exact <= said <= exact * 2.2 + 400


@pytest.mark.parametrize(
    ("attributes", "much"),
    [
        ({"values": [-0.123456] * 2_000}, 1.01),
        ({"tokens": [" river", "s", "…", "日本"] * 500}, 1.01),
        ({"positions": list(range(2_000))}, 1.1),
        ({"offsets": [-1, *range(2_000)]}, 3.0),  # a negative int has ten bytes
        ({"text": "word " * 2_000}, 1.02),
        ({"texts": ["a long token of a hundred bytes" * 4] * 300}, 1.06),
    ],
)
def test_the_size_is_about_right(attributes: Any, much: float) -> None:
    made = span(attributes=attributes)
    assert encoded([made]) <= span_size(made) + origin_size(made) <= encoded([made]) * much + 300


class Keeping(SpanExporter):
    """Keeps the parts, and answers or raises what it is told to."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.parts: list[Sequence[ReadableSpan]] = []
        self.told: list[Any] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.parts.append(spans)
        answer = self.answers.pop(0) if self.answers else SpanExportResult.SUCCESS
        if isinstance(answer, Exception):
            raise answer
        return answer

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        self.told.append(timeout_millis)
        return timeout_millis > 5

    def shutdown(self) -> None:
        self.told.append("shutdown")


class KeepingWithTime(Keeping):
    def shutdown(self, timeout_millis: float = 30_000) -> None:
        self.told.append(timeout_millis)


@given(sizes=st.lists(st.integers(0, 3_000), max_size=30), most=st.integers(1, 6_000), resources=st.integers(1, 3))
def test_the_parts_hold_every_span_once_in_order_and_no_more_than_fits(
    sizes: list[int], most: int, resources: int
) -> None:
    origins = [Resource({"service.name": "s" * 100, "number": number}) for number in range(resources)]
    spans = [
        span(str(number), {"a": "x" * size}, resource=origins[number % resources])
        for number, size in enumerate(sizes)
    ]  # fmt: skip
    kept = Keeping()
    assert SplittingSpanExporter(kept, most).export(spans) is SpanExportResult.SUCCESS
    assert [each for part in kept.parts for each in part] == spans
    for part in kept.parts:
        assert len(part) == 1 or encoded(part) <= most
    for part, after in zip(kept.parts, kept.parts[1:], strict=False):
        # The next one did not fit: with it, it would have been too much (the sizes are estimates from above).
        assert encoded([*part, after[0]]) * 1.1 + 200 * len(part) + 300 > most


def test_what_fits_is_one_request() -> None:
    kept, spans = Keeping(), [span(), span()]
    SplittingSpanExporter(kept).export(spans)
    assert kept.parts == [spans]
    SplittingSpanExporter(kept).export([])
    assert kept.parts == [spans]


FAILED = SpanExportResult.FAILURE
SENT = SpanExportResult.SUCCESS


@pytest.mark.parametrize(
    ("answers", "result"),
    [
        ([SENT, SENT, SENT], SENT),
        ([FAILED, SENT, SENT], FAILED),
        ([SENT, SENT, FAILED], FAILED),
        ([SENT, OSError("no route"), SENT], FAILED),
        ([ValueError("a"), ValueError("b"), ValueError("c")], FAILED),
        ([SENT, None, SENT], FAILED),  # an exporter that answers nothing has not said that they are sent
    ],
)
def test_the_other_parts_are_sent_where_one_fails(answers: list[Any], result: SpanExportResult) -> None:
    kept = Keeping(*answers)
    assert SplittingSpanExporter(kept, 300).export([span(attributes={"a": "x" * 300})] * 3) is result
    assert [len(part) for part in kept.parts] == [1, 1, 1]


def test_a_flush_and_the_shutdown_are_passed_on() -> None:
    kept = Keeping()
    splitting = SplittingSpanExporter(kept)
    assert splitting.force_flush(10) is True
    assert splitting.force_flush(5) is False
    splitting.shutdown()
    splitting.shutdown(timeout_millis=7)
    assert kept.told == [10, 5, "shutdown", "shutdown"]
    timed = KeepingWithTime()
    SplittingSpanExporter(timed).shutdown(timeout_millis=7)
    assert timed.told == [7]


@pytest.mark.parametrize("wrong", [0, -1])
def test_a_size_that_nothing_fits_in(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"max_bytes={wrong}"):
        SplittingSpanExporter(Keeping(), wrong)


@pytest.mark.parametrize(
    ("environ", "module"),
    [
        ({}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": " http/protobuf "}, "http"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, "http"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "grpc"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, "grpc"),
    ],
)
def test_the_exporter_that_the_environment_asks_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, environ: dict[str, str], module: str
) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name, text in environ.items():
        monkeypatch.setenv(name, text)
    exporter = SplittingOTLPSpanExporter(endpoint="http://127.0.0.1:1")
    assert type(exporter._exporter).__module__ == f"opentelemetry.exporter.otlp.proto.{module}.trace_exporter"
    assert exporter._max_bytes == MAX_BYTES
    assert ("http/json" in caplog.text) == ("http/json" in environ.values())
    exporter.shutdown()


WITHOUT_THE_SDK = """
import sys
sys.modules["opentelemetry.sdk.trace"] = None
import langchain_logprobs
import langchain_logprobs.otlp
"""


def test_without_the_extra_the_error_names_it() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_THE_SDK], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith('pip install "langchain-logprobs[otlp]"')
