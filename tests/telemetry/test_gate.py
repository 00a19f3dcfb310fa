"""Without text no word of a model or a user goes out, on whichever path; the numbers do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableConfig, RunnableLambda
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as log_export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from langchain_logprobs import LogprobsCallbackHandler, Settings
from langchain_logprobs.telemetry import names
from langchain_logprobs.telemetry.gate import Gate
from tests.support import ScriptedModel, Traced, entry

CANARY = "CANARY"

# Each of these is put where a model or a user wrote something, so that it is known which of them got out.
PROSE = [
    entry("CANARYtoken", -2.5, ("CANARYother", -0.5)),
    entry(" sure", -0.01),
    entry(" CANARYlow", -3.0, (" CANARYnearly", -0.2)),
]
SCHEMA = {
    "title": "Made",
    "type": "object",
    "properties": {"label": {"enum": ["CANARYspam", "CANARYham"]}, "known": {"type": "object"}},
}
STRUCTURED = [
    entry('{"label":"', -0.01),
    entry("CANARYspam", -0.7, ("CANARYspam", -0.7), ("CANARYham", -0.8)),
    entry('","known":{"CANARYkey":', -0.01),
    entry('"CANARYvalue"', -1.9),
    entry("}}", -0.01),
]
TOOL = [entry('{"CANARYargument":', -0.01), entry('"CANARYvalue"', -1.9), entry("}", -0.01)]


class Model(ScriptedModel):
    """Answers with reasoning, several choices or a tool call."""

    tool: bool = False
    choices: int = 1

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        if self.fail_after is not None:
            raise ValueError("could not parse CANARYquoted")
        result = super()._generate(*args, **kwargs)
        first = result.generations[0]
        first.generation_info["logprobs"] = {  # type: ignore[index]
            **first.generation_info["logprobs"],  # type: ignore[index]
            "reasoning_content": [entry("CANARYthought", -4.0)],
        }
        if self.tool:
            call = {"name": "CANARYtool", "args": {"CANARYargument": "CANARYvalue"}, "id": "1", "type": "tool_call"}
            first.message = AIMessage("", tool_calls=[call])
        others = [ChatGeneration(message=first.message, generation_info=first.generation_info)] * (self.choices - 1)
        return ChatResult(generations=[first, *others])


class Everything:
    """All that leaves the process: spans, events, log records and metrics."""

    def __init__(self, **settings: Any) -> None:
        exporter = getattr(log_export, "InMemoryLogRecordExporter", None) or log_export.InMemoryLogExporter
        self._logs = exporter()
        logs = LoggerProvider(shutdown_on_exit=False)
        logs.add_log_record_processor(log_export.SimpleLogRecordProcessor(self._logs))
        self._reader = InMemoryMetricReader()
        metrics = MeterProvider([self._reader], shutdown_on_exit=False)
        self.traced = Traced(Settings(events="both", **settings), meter_provider=metrics, logger_provider=logs)

    def run(self) -> None:
        config: RunnableConfig = {**self.traced.config, "metadata": {"note": "CANARYmetadata"}, "tags": ["CANARYtag"]}
        list(ScriptedModel(entries=PROSE).stream("CANARYprompt", config=config, stop=["CANARYstop"]))
        Model(entries=PROSE, choices=2).invoke("CANARYprompt", config=config, stop=["CANARYstop"])
        Model(entries=TOOL, tool=True).invoke("CANARYprompt", config=config)
        structured = Model(entries=STRUCTURED).bind(ls_structured_output_format={"schema": SCHEMA})
        asking: RunnableLambda[str, Any] = RunnableLambda(lambda text: structured.invoke(text))
        asking.invoke("CANARYprompt", config=config)
        with pytest.raises(ValueError, match="CANARY"):
            Model(fail_after=0).invoke("CANARYprompt", config=config)

    def attributes(self) -> Iterator[tuple[str, Any]]:
        """Every name and value that went out."""
        for span in self.traced.spans:
            yield "a span's name", span.name
            yield "a span's status", span.status.description
            yield from (span.attributes or {}).items()
            for event in span.events:
                yield from (event.attributes or {}).items()
        for item in self._logs.get_finished_logs():
            yield "a record's body", item.log_record.body
            yield from (item.log_record.attributes or {}).items()
        measured = self._reader.get_metrics_data()  # None where another handler ends the calls
        yield "metrics", None if measured is None else measured.to_json()

    def quoting(self) -> set[str]:
        """The names of what quotes a model or a user."""
        return {name for name, value in self.attributes() if CANARY in json.dumps(value)}


def test_with_text_everything_that_is_marked_as_text_quotes_and_nothing_else_does() -> None:
    everything = Everything(capture_messages=True)
    everything.run()
    # Paths are the keys of the answer: without text, those that the request's schema names are left.
    paths = {names.FIELD_PATHS, names.FIELD_MIN_PATH}
    assert everything.quoting() == names.TEXTS | paths | {"a span's status", "a record's body"}


def test_without_text_nothing_quotes() -> None:
    everything = Everything(capture_text=False)
    everything.run()
    assert everything.quoting() == set()
    paths = {path for name, value in everything.attributes() if name == names.FIELD_PATHS for path in value}
    assert paths == {"/label", "/known/*", "/tool_calls/0/*/*"}
    written = {name for name, _ in everything.attributes()}
    assert {names.VALUES, names.FIELD_CONFIDENCES, names.FIELD_RUNNER_UP_PROBABILITIES, names.SEVERITY} <= written


@pytest.mark.parametrize("private_first", [True, False])
def test_text_goes_out_only_where_every_handler_of_the_call_allows_it(private_first: bool) -> None:
    everything = Everything()
    private = LogprobsCallbackHandler(Settings(capture_text=False), tracer_provider=everything.traced.provider)
    handlers: list[BaseCallbackHandler] = [everything.traced.handler, private]
    everything.traced.config["callbacks"] = handlers[::-1] if private_first else handlers
    everything.run()
    assert everything.quoting() == set()


def test_the_gate() -> None:
    attributes = {
        names.TOKENS: ["a"],
        names.VALUES: [-0.5],
        names.FIELD_PATHS: ["/a", "/b"],
        names.FIELD_MIN_PATH: "/b",
    }
    assert Gate(capture_text=True)(attributes, {"/a": "/a"}) == attributes
    closed = Gate(capture_text=False)
    assert closed(attributes, {"/a": "/a"}) == {
        names.VALUES: [-0.5],
        names.FIELD_PATHS: ["/a", "*"],
        names.FIELD_MIN_PATH: "*",
    }
    assert closed(attributes)[names.FIELD_PATHS] == ["*", "*"]


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize(
    ("value", "cleaned"),
    [
        ("a\ud83d", "a\ufffd"),
        ("\ud83d\ude00", "\U0001f600"),
        (["a", "\ude00"], ["a", "\ufffd"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [1, 2]),
        ([], []),
        (None, None),
    ],
)
def test_only_valid_utf8_passes(value: Any, cleaned: Any, text: bool) -> None:
    assert Gate(capture_text=text)({"logprobs.source": value}) == {"logprobs.source": cleaned}
