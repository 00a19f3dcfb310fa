"""Without text no byte that a model or a user wrote goes out, over everything that was recorded of every provider.

In each recorded callback the letters of what was written are replaced by circled ones, which nothing else has: a text
stays what it is to its tokens, and not one circled letter may be found in what leaves the process. With text, they are
found in the tokens of every record, so that the search is known to look for what is there.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as log_export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from langchain_logprobs import Settings
from langchain_logprobs.telemetry import attributes, names
from tests.golden.codec import decode
from tests.golden.recording import Record, load_records
from tests.support import Traced

# Those of JSON's words and escapes stay, so that a document stays one.
LETTERS = "cdghijkmopqvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Circles(dict[int, int]):
    """A table for str.translate: those letters, and all signs of Chinese and the like."""

    def __missing__(self, code: int) -> int:
        if 0x3040 <= code < 0xFB00:
            return 0x24B6 + code % 52
        raise LookupError


CIRCLED = Circles({ord(each): 0x24B6 + ord(each.upper()) - 65 + 26 * each.islower() for each in LETTERS})
# As UTF-8, and as JSON writes it.
FOUND = re.compile(rb"\xe2\x92[\xb6-\xbf]|\xe2\x93[\x80-\xa9]|\\u24[b-eB-E]")

WRITTEN = frozenset({
    "token", "tokens", "content", "text", "arguments", "args", "reasoning_content", "reasoning", "thinking",
    "logprobs_text", "output_text", "refusal", "partial_json", "input", "query", "prompt", "prompts", "response",
})  # fmt: skip
"""Under these keys stands what a model or a user wrote, in one record or another."""

TOKENS_BY_KEY = frozenset({"top_logprobs"})
"""Under these stand mappings whose keys are tokens."""

MARKUP = re.compile(r"(<[^<>]*>|\[/?[A-Z_]+\])")  # end marks, fences and tags: what the parts of an answer are known by


def circled(text: str) -> str:
    return "".join(part if MARKUP.fullmatch(part) else part.translate(CIRCLED) for part in MARKUP.split(text))


def marked(value: Any, key: str | None = None) -> Any:
    """A part of an encoded callback, with circled letters in what was written."""
    if isinstance(value, list):
        return [marked(item, key) for item in value]
    if isinstance(value, str):
        return circled(value) if key in WRITTEN else value
    if not isinstance(value, dict):
        return value
    if value.get("$") == "TextAccessor":
        return {**value, "value": circled(value["value"])}
    by_token = key in TOKENS_BY_KEY and all(isinstance(item, (int, float)) for item in value.values())
    made = {circled(name) if by_token else name: marked(item, name) for name, item in value.items()}
    if isinstance(made.get("bytes"), list) and isinstance(made.get("token"), str) and made["token"] != value["token"]:
        made["bytes"] = list(made["token"].encode())
    return made


def events(record: Record) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
    for name, args, kwargs in record.encoded["events"]:
        if name in ("on_llm_start", "on_chat_model_start"):
            args = [*args[:1], *(marked(arg, "prompts") for arg in args[1:])]  # the first says which class it is
        else:
            args = marked(args, "token")
        yield name, decode(args), decode(marked(kwargs))


class Outside:
    """Everything that leaves the process: OTLP's traces, logs and metrics, and our log lines.

    OTLP is looked through in JSON: in protobuf, the time of a span is eight bytes, which now and then are a letter's.
    """

    def __init__(self, chosen: Settings) -> None:
        kind = getattr(log_export, "InMemoryLogRecordExporter", None) or log_export.InMemoryLogExporter
        self._records = kind()
        logs = LoggerProvider(shutdown_on_exit=False)
        logs.add_log_record_processor(log_export.SimpleLogRecordProcessor(self._records))
        self._reader = InMemoryMetricReader()
        meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.traced = Traced(chosen, meter_provider=meters, logger_provider=logs)

    def replay(self, record: Record) -> None:
        for name, args, kwargs in events(record):
            callback = getattr(self.traced.handler, name, None)
            if callback is not None:
                callback(*args, **kwargs)
        self.traced.handler.close()

    def bytes(self, lines: list[logging.LogRecord]) -> bytes:
        form = logging.Formatter()
        metrics = self._reader.get_metrics_data()
        return b"\n".join(
            [
                MessageToJson(encode_spans(self.traced.spans)).encode(),
                MessageToJson(encode_logs(self._records.get_finished_logs())).encode(),
                b"" if metrics is None else MessageToJson(encode_metrics(metrics)).encode(),
                *(form.format(line).encode("utf-8", "replace") for line in lines),
            ]
        )


RECORDS = [*load_records("providers"), *load_records("model")]
ROWS = sorted({record.name.split("/")[0] for record in RECORDS})


def of_row(row: str) -> list[Record]:
    return [record for record in RECORDS if record.name.split("/")[0] == row]


PRIVATE: dict[str, Any] = {"capture_text": False, "alternatives": "all", "events": "both", "low_probability": 0.9}


@pytest.mark.parametrize("row", ROWS)
def test_not_one_byte_goes_out_without_text(row: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "langchain_logprobs")
    outside = Outside(Settings(**PRIVATE))
    for record in of_row(row):
        outside.replay(record)
    assert outside.traced.spans
    found = FOUND.search(outside.bytes(caplog.records))
    assert found is None, found and found.string[max(0, found.start() - 200) : found.end() + 20]


@pytest.mark.parametrize("row", ROWS)
def test_with_text_every_token_that_was_recorded_is_a_canary(row: str, caplog: pytest.LogCaptureFixture) -> None:
    for record in of_row(row):
        outside = Outside(Settings(capture_messages=True))
        outside.replay(record)
        for span in outside.traced.spans:
            shown = [span.attributes.get(name) or () for name in (names.TOKENS, names.ALTERNATIVE_TOKENS)]
            for token in [token for tokens in shown for token in tokens]:
                assert MARKUP.sub("", token).translate(CIRCLED) == MARKUP.sub("", token), (record.name, token)
            if any(span.attributes.get(names.TOKENS) or ()):
                assert FOUND.search(outside.bytes([])), record.name


def test_a_new_text_attribute_that_forgets_the_gate_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    summary = attributes.summary

    def forgetful(report: Any) -> Iterator[tuple[str, Any]]:
        yield from summary(report)
        yield "logprobs.new", report.text

    monkeypatch.setattr(attributes, "summary", forgetful)
    outside = Outside(Settings(**PRIVATE))
    outside.replay(RECORDS[0])
    assert FOUND.search(outside.bytes([]))


def test_a_log_line_that_quotes_is_found() -> None:
    line = logging.LogRecord("langchain_logprobs", logging.INFO, "", 0, "said %s", (circled("Hello"),), None)
    assert FOUND.search(Outside(Settings(**PRIVATE)).bytes([line]))
