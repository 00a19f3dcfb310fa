"""What is on the spans, in the events, logs and metrics: names, types, budgets and privacy."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from enum import Enum
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs import export as log_export
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from pydantic import BaseModel, SecretStr

from langchain_logprobs import LogprobsCallbackHandler, Settings
from langchain_logprobs.capture import lifecycle
from langchain_logprobs.confidence.inputs import Asked, Choice, Received
from langchain_logprobs.confidence.status import why_missing
from langchain_logprobs.formats.entries import Reading
from langchain_logprobs.telemetry import names
from tests.providers.wire import WireServer, json_body
from tests.support import ENTRIES, LOGPROBS, TOKENS, EndedSpan, ScriptedModel, Traced, completion, entry

WORDS = ["the", "model", "was", "not", "sure", "about", "this", "part", "of", "its", "answer", "and", "said", "so"]


def long_answer(count: int, low_every: int = 10) -> list[dict[str, Any]]:
    """Tokens of English with five alternatives each, one in `low_every` of them under the threshold."""
    answer = []
    for index in range(count):
        word = " " + WORDS[index % len(WORDS)]
        logprob = -2.3 - index % 7 / 10 if index % low_every == 0 else -0.001 * (index % 300) - 1e-6
        others = [(f" {WORDS[(index + other) % len(WORDS)]}", -3.0 - other) for other in range(1, 5)]
        answer.append(entry(word, logprob, *others))
    return answer


def otlp_size(span: ReadableSpan) -> int:
    return len(encode_spans([span]).SerializeToString())


def streamed(entries: list[Any], settings: Settings | None = None, **providers: Any) -> Traced:
    traced = Traced(settings, **providers)
    list(ScriptedModel(entries=entries).stream("hi", config=traced.config))
    return traced


TIMES = ("time_to_first_chunk", "time_to_first_token", "offsets_us")


def test_every_attribute_and_event_is_documented_with_its_type() -> None:
    traced = streamed(long_answer(40))
    documented = {(item.group, item.name): item.type for item in names.DOCUMENTED}
    types = {str: "string", int: "int", float: "double", bool: "boolean"}

    def check(group: str, attributes: Any) -> None:
        for name, value in attributes.items():
            if name.startswith(("logprobs.", "gen_ai.evaluation")):
                kind = f"{types[type(value[0])]}[]" if isinstance(value, tuple) else types[type(value)]
                assert documented[group, name] == kind, name

    check("model call", traced.call.attributes)
    assert {event.name for event in traced.call.events} == {
        "logprobs.chunk",
        "logprobs.low_confidence",
        "gen_ai.evaluation.result",
    }
    for event in traced.call.events:
        check(event.name, event.attributes)


def test_two_thousand_tokens_stay_under_48_kilobytes_by_default() -> None:
    traced = streamed(long_answer(2_000))
    span = traced.call
    assert otlp_size(span) <= 48_000
    assert len(span.attributes["logprobs.values"]) == 2_000
    assert "logprobs.tokens.recorded" not in span.attributes
    stretches = [event for event in span.events if event.name == "logprobs.low_confidence"]
    assert 8 <= len(stretches) <= 16
    assert span.attributes["logprobs.low_confidence.stretch_count"] == 200
    # What the model nearly said is there, for the weakest tokens first.
    assert stretches[0].attributes["logprobs.alternatives.tokens"]


def weak_answer(count: int, probability: float) -> list[dict[str, Any]]:
    """Tokens that all are contested, by five others each."""
    others = [(f" {word}", math.log(0.1)) for word in WORDS[:5]]
    return [entry(f" {WORDS[index % len(WORDS)]}", math.log(probability), *others) for index in range(count)]


@pytest.mark.parametrize("low_every", [1, 2, 3, 10, 30, 1_000])
@pytest.mark.parametrize("count", [14, 65, 100])
def test_a_short_answer_has_a_small_span(count: int, low_every: int) -> None:
    for entries in (long_answer(count, low_every), weak_answer(count, 0.7), weak_answer(count, 0.1)):
        span = streamed(entries).call
        assert otlp_size(span) <= 10_240
        assert len(span.attributes["logprobs.values"]) == count
        assert len(span.attributes["logprobs.chunk.offsets_us"]) == count
        assert "logprobs.chunk.starts" not in span.attributes, "each chunk's arrival, none left out"
        (message,) = json.loads(span.attributes["gen_ai.output.messages"])
        assert message["parts"][-1]["content"] == "".join(each["token"] for each in entries)


@pytest.mark.parametrize(("count", "most"), [(5, 64), (64, 64), (65, 64), (1_000, 64), (1_000, 3), (2_000, 128)])
def test_chunk_events_tile_the_answer(count: int, most: int) -> None:
    span = streamed(long_answer(count), Settings(max_chunk_events=most)).call
    events = [event for event in span.events if event.name == "logprobs.chunk"]
    assert min(count, 8, most) <= len(events) <= most
    assert count > 64 or len(events) == count
    at = 0
    for event in events:
        assert event.attributes["logprobs.token.start"] == at
        at += event.attributes["logprobs.token.count"]
    assert at == count
    assert [event.timestamp for event in events] == sorted(event.timestamp for event in events)


def test_a_low_confidence_event_says_where_and_what_else() -> None:
    entries = [entry("Alan", -0.01), entry(" Tu", -2.5, (" Cu", -0.2), (" Ma", -4.0)), entry("ring", -0.1)]
    span = streamed([*entries, entry(".", -0.01)]).call
    (event,) = [event for event in span.events if event.name == "logprobs.low_confidence"]
    chunks = [event for event in span.events if event.name == "logprobs.chunk"]
    assert dict(event.attributes) == {
        "logprobs.about": "“Turing” .08, nearly Cu .82, Ma .02",
        "logprobs.text": "Turing",
        "logprobs.text.start": 5,
        "logprobs.text.end": 11,
        "logprobs.token.start": 1,
        "logprobs.token.count": 2,
        "logprobs.severity": "low",
        "logprobs.min.probability": math.exp(-2.5),
        "logprobs.mean": pytest.approx(-1.3),
        "logprobs.alternatives.tokens": (" Tu", " Cu", " Ma"),
        "logprobs.alternatives.values": (-2.5, -0.2, -4.0),
    }
    assert event.timestamp == chunks[1].timestamp
    assert span.attributes["logprobs.low_confidence.detected"] is True
    assert span.attributes["logprobs.alternatives.positions"] == (1, 1, 1)
    assert span.attributes["logprobs.alternatives.tokens"] == (" Tu", " Cu", " Ma")


@pytest.mark.parametrize(("setting", "positions"), [("none", set()), ("low", {0, 10, 20, 30}), ("all", set(range(40)))])
def test_alternatives(setting: Any, positions: set[int]) -> None:
    attributes = streamed(long_answer(40), Settings(alternatives=setting)).call.attributes
    assert set(attributes.get("logprobs.alternatives.positions", ())) == positions
    assert len(attributes.get("logprobs.alternatives.values", ())) == 5 * len(positions)


def test_the_byte_budget_trims_alternatives_first_and_then_the_arrays() -> None:
    answer = long_answer(2_000)
    roomy = streamed(answer, Settings(alternatives="all", span_bytes=150_000)).call
    assert otlp_size(roomy) <= 150_000
    assert len(roomy.attributes["logprobs.tokens"]) == 2_000
    kept = set(roomy.attributes["logprobs.alternatives.positions"])
    assert 0 < len(kept) < 2_000
    margins = [  # the sampled token comes first, and the best other one second
        math.exp(item["logprob"]) - math.exp(item["top_logprobs"][1]["logprob"]) for item in answer
    ]
    assert max(margins[index] for index in kept) <= min(margins[index] for index in set(range(2_000)) - kept) + 1e-12
    tight = streamed(answer, Settings(alternatives="all", span_bytes=20_000, max_chunk_events=16)).call
    assert otlp_size(tight) <= 20_000
    recorded = tight.attributes["logprobs.tokens.recorded"]
    assert recorded == len(tight.attributes["logprobs.tokens"]) == len(tight.attributes["logprobs.values"]) < 2_000
    assert "logprobs.alternatives.positions" not in tight.attributes
    assert tight.attributes["logprobs.token.count"] == 2_000  # the summary covers every token
    assert tight.attributes["logprobs.mean"] == roomy.attributes["logprobs.mean"]


def every_string(span: EndedSpan) -> str:
    return json.dumps([dict(span.attributes), [dict(event.attributes) for event in span.events]])


def test_without_text_every_number_stays_and_no_text_does() -> None:
    entries = [entry("SECRET", -2.5, ("HIDDEN", -0.5)), *ENTRIES]
    model = ScriptedModel(entries=entries)
    with_text, without = Traced(), Traced(Settings(capture_text=False))
    for traced in (with_text, without):
        list(model.stream("hi", config=traced.config))
    text = ("tokens", "min.token", "logprobs.text", "logprobs.answer", ".messages")
    numbers = {key: value for key, value in with_text.call.attributes.items() if not key.endswith(text)}
    assert {key: value for key, value in without.call.attributes.items() if not key.endswith(TIMES)} == {
        key: value for key, value in numbers.items() if not key.endswith(TIMES)
    }
    assert "SECRET" in every_string(with_text.call)
    assert "SECRET" not in every_string(without.call)
    assert "HIDDEN" not in every_string(without.call)


def test_an_errors_text_is_text_too() -> None:
    traced = Traced(Settings(capture_text=False))
    with pytest.raises(RuntimeError):
        ScriptedModel(fail_after=0).invoke("hi", config=traced.config)
    assert traced.call.status.description == "RuntimeError"


def test_lone_surrogates_and_control_characters_reach_the_wire() -> None:
    entries = [entry(token, -3.0) for token in ("a", "\u0000", "\x1b[31m", "b")]
    for token in ("\ud83d", "\ude00"):
        entries.append({"token": token, "logprob": -3.0, "bytes": None, "top_logprobs": [
            {"token": token, "logprob": -3.0}, {"token": "\ud83d\ude00", "logprob": -4.0}]})  # fmt: skip
    traced = Traced(Settings(alternatives="all"))
    run = ScriptedModel(entries=entries)
    run.invoke("hi", config=traced.config)
    encoded = encode_spans([traced.call])
    sent = {item.key for item in encoded.resource_spans[0].scope_spans[0].spans[0].attributes}
    assert {"logprobs.tokens", "logprobs.alternatives.tokens", "logprobs.values"} <= sent
    assert traced.call.attributes["logprobs.tokens"] == ("a", "\0", "\x1b[31m", "b", "\ufffd", "\ufffd")
    assert "\U0001f600" in traced.call.attributes["logprobs.alternatives.tokens"]


def test_only_finite_numbers_reach_a_span() -> None:
    odd = [entry("x", value, ("y", -math.inf), ("z", math.nan)) for value in (-math.inf, math.nan, -9999.0, None, 0.7)]
    traced = streamed([*odd, *ENTRIES], Settings(alternatives="all", censored_floor=-50.0))
    span = traced.call
    assert span.attributes["logprobs.values"][:5] == (-50.0,) * 5
    assert span.attributes["logprobs.token.censored_positions"] == (0, 1, 2, 3, 4)
    assert (span.attributes["logprobs.token.count"], span.attributes["logprobs.token.censored_count"]) == (5, 5)
    assert span.attributes["logprobs.mean"] == pytest.approx(math.fsum(LOGPROBS) / 5)
    for attributes in (span.attributes, *(event.attributes for event in span.events)):
        for value in attributes.values():
            for number in value if isinstance(value, tuple) else (value,):
                assert not isinstance(number, float) or math.isfinite(number)


def test_a_reasoning_text_is_kept_apart() -> None:
    class Reasoner(ScriptedModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            result = super()._generate(*args, **kwargs)
            info = result.generations[0].generation_info or {}
            info["logprobs"] = {**info["logprobs"], "reasoning_content": [entry("hm", -4.0)]}
            return result

    traced = Traced()
    Reasoner().invoke("hi", config=traced.config)
    assert traced.call.attributes["logprobs.tokens"] == tuple(TOKENS)
    assert traced.call.attributes["logprobs.reasoning.token.count"] == 1
    assert traced.call.attributes["logprobs.reasoning.mean"] == -4.0


@pytest.mark.parametrize("events", ["span", "log", "both", "none"])
def test_events_go_where_they_are_wanted(events: Any) -> None:
    # Renamed in opentelemetry-sdk 1.39.
    exporter = getattr(log_export, "InMemoryLogRecordExporter", None) or log_export.InMemoryLogExporter
    exporter = exporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(log_export.SimpleLogRecordProcessor(exporter))
    entries = [entry("Hm", -2.5, ("So", -0.2)), *ENTRIES]
    span = streamed(entries, Settings(events=events), logger_provider=provider).call
    names_on_span = [event.name for event in span.events]
    records: list[Any] = [item.log_record for item in exporter.get_finished_logs()]
    assert bool(names_on_span) is (events in ("span", "both"))
    assert bool(records) is (events in ("log", "both"))
    if records:
        assert [record.event_name for record in records] == [
            *["logprobs.chunk"] * 6,
            "logprobs.low_confidence",
            "gen_ai.evaluation.result",
        ]
        assert {record.span_id for record in records} == {span.context.span_id}
        assert records[0].attributes["logprobs.tokens"] == ("Hm",)
        assert span.start_time < records[0].timestamp < span.end_time
        assert {record.severity_text for record in records} == {"INFO"}
        bodies = [record.body for record in records]
        assert bodies[:2] == ["chunk 0 brought token 0", "chunk 1 brought token 1"]
        assert bodies[6] == "“HmAs” .08, nearly So .82"
        assert bodies[7].startswith("token confidence is ")
        scopes: list[Any] = [item.instrumentation_scope for item in exporter.get_finished_logs()]
        assert {scope.schema_url for scope in scopes} == {names.SCHEMA_URL}
    if events == "both":
        assert names_on_span == [record.event_name for record in records]


def test_metrics_lead_to_the_trace() -> None:
    reader = InMemoryMetricReader()
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    traced = streamed(ENTRIES, meter_provider=meter_provider)
    data: Any = reader.get_metrics_data()
    (scope,) = data.resource_metrics[0].scope_metrics
    points = {metric.name: metric.data.data_points[0] for metric in scope.metrics}
    labels = {
        "gen_ai.provider.name": "scriptedmodel",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "scripted-1",
    }
    confidence = points["logprobs.generation.confidence"]
    assert (confidence.count, confidence.sum) == (1, traced.call.attributes["logprobs.confidence.score"])
    assert dict(confidence.attributes) == labels
    assert confidence.explicit_bounds[0] == 0.01
    assert confidence.exemplars[0].span_id == traced.call.context.span_id
    assert points["logprobs.tokens"].value == 5
    assert "logprobs.low_confidence.tokens" not in points
    generations = points["logprobs.generations"]
    assert dict(generations.attributes) == {
        **labels,
        "logprobs.status": "recorded",
        "logprobs.confidence.level": "medium",
    }


def test_an_unsampled_call_still_counts_in_the_metrics() -> None:
    reader = InMemoryMetricReader()
    handler = LogprobsCallbackHandler(
        tracer_provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False),
        meter_provider=MeterProvider([reader], shutdown_on_exit=False),
    )
    ScriptedModel().invoke("hi", config={"callbacks": [handler]})
    assert handler.open_runs == 0
    assert reader.get_metrics_data() is not None


# langchain-openai 1.0 dumps the openai SDK's parsed answer with a warning of Pydantic's.
parsed_answer_warns = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")


class Label(Enum):
    spam = "spam"
    ham = "ham"


class Verdict(BaseModel):
    label: Label
    score: float


@pytest.fixture
def verdict_server():
    tokens = ['{"', "label", '":"', "spam", '","', "score", '":', "0", ".5", "}"]
    entries = [entry(token, -0.01) for token in tokens]
    entries[3] = entry("spam", -0.5, ("ham", -1.6), ("eggs", -2.9))
    entries[8] = entry(".5", -1.8, (".9", -0.4))
    with WireServer() as wire:
        wire.answer(
            "/v1/chat/completions",
            lambda request: json_body(completion(entries) if request.json.get("logprobs") else completion(
                entries, logprobs=None)),
        )  # fmt: skip
        yield wire


@parsed_answer_warns
def test_the_fields_of_a_structured_answer(verdict_server) -> None:
    traced = Traced()
    model = ChatOpenAI(base_url=verdict_server.url + "/v1", api_key=SecretStr("x"), model="gpt-4o", logprobs=True)
    structured = model.with_structured_output(Verdict, method="json_schema")
    assert structured.invoke("hi", config=traced.config) == Verdict(label=Label.spam, score=0.5)
    attributes = traced.call.attributes
    assert attributes["logprobs.fields.status"] == "ok"
    assert attributes["logprobs.fields.paths"] == ("/label", "/score")
    assert attributes["logprobs.fields.confidences"] == pytest.approx((math.exp(-0.52), math.exp(-1.82)))
    assert attributes["logprobs.fields.min_indexes"] == (3, 8)
    assert set(attributes["logprobs.alternatives.positions"]) >= {3, 8}  # what each field nearly was
    assert attributes["logprobs.fields.min_probabilities"] == pytest.approx((math.exp(-0.5), math.exp(-1.8)))
    # The allowed values come from the schema that LangChain passes on: `eggs` is none of them.
    assert attributes["logprobs.fields.runners_up"] == ('"ham"', "")
    assert attributes["logprobs.fields.runner_up_probabilities"] == pytest.approx((math.exp(-1.61), 0.0))


def test_the_least_certain_fields_are_kept() -> None:
    entries = [entry('{"a":', -0.1), entry("1", -0.5), entry(',"b":', -0.1), entry("2", -0.9), entry("}", -0.1)]
    traced = streamed(entries, Settings(max_fields=1))
    assert traced.call.attributes["logprobs.fields.paths"] == ("/b",)
    assert traced.call.attributes["logprobs.fields.count"] == 2


def test_prose_with_brackets_has_no_fields() -> None:
    traced = streamed([entry("See", -0.1), entry(" [1]", -0.1), entry(" and {x}", -0.1)])
    assert not [key for key in traced.call.attributes if "fields" in key]


def test_the_arguments_of_a_tool_call() -> None:
    entries = [entry('{"city":', -0.01), entry('"Paris"', -0.4), entry("}", -0.01)]

    class Caller(ScriptedModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            result = super()._generate(*args, **kwargs)
            calls = [{"name": "get/weather", "args": {"city": "Paris"}, "id": "1", "type": "tool_call"}]
            result.generations[0].message = AIMessage("", tool_calls=calls)
            return result

    traced = Traced()
    Caller(entries=entries).invoke("hi", config=traced.config)
    assert traced.call.attributes["logprobs.fields.paths"] == ("/tool_calls/0/get~1weather/city",)
    assert traced.call.attributes["logprobs.fields.confidences"] == pytest.approx((math.exp(-0.4),))


@parsed_answer_warns
def test_a_flag_that_structured_output_drops_is_mentioned_once(verdict_server, caplog, monkeypatch) -> None:
    monkeypatch.setattr(lifecycle, "_said", set())
    traced = Traced()
    model = ChatOpenAI(base_url=verdict_server.url + "/v1", api_key=SecretStr("x"), model="gpt-4o")
    structured = model.bind(logprobs=True).with_structured_output(Verdict, method="json_schema")
    with caplog.at_level(logging.INFO, "langchain_logprobs"):
        for _ in range(2):
            structured.invoke("hi", config=traced.config)
    assert {call.attributes["logprobs.status"] for call in traced.named("chat")} == {"not_requested"}
    said = [record.message for record in caplog.records if record.name == "langchain_logprobs"]
    assert len(said) == 1
    assert "on the constructor" in said[0]


@pytest.mark.parametrize(
    ("class_name", "asked", "received", "cure"),
    [
        ("ChatHuggingFace", {"to_bind": "logprobs=True"}, {}, ".bind(logprobs=True)"),
        ("ChatGoogleGenerativeAI", {"dropped_by": "google_genai", "drops": "always"}, {}, '("google_genai")'),
        ("ChatOpenAI", {"dropped_by": "openai_responses", "drops": "always"}, {}, '("openai_responses")'),
        ("ChatLiteLLM", {"dropped_by": "litellm", "drops": "streamed"}, {"first_chunk_time": 1}, "when it streams"),
        ("ChatLiteLLM", {"dropped_by": "litellm", "drops": "streamed"}, {}, "none reached LangChain's callbacks"),
        ("ChatOllama", {"dropped_by": "ollama", "drops": "without chunks"}, {"first_chunk_time": 1}, "none reached"),
        ("ChatOllama", {"dropped_by": "ollama", "drops": "without chunks"}, {"without_chunks": True}, '("ollama")'),
        ("ChatMistralAI", {"drops": "always"}, {}, "drops the logprobs that it receives"),
        ("ChatOpenAI", {}, {"tool_calls": [{}]}, "tool call"),
        ("", {}, {}, "none reached LangChain's callbacks"),
    ],
)
def test_why_logprobs_are_missing(class_name, asked, received, cure) -> None:
    choice = Choice(Reading(), "", tool_calls=received.pop("tool_calls", ()))
    reason = why_missing(Asked(logprobs=True, class_name=class_name, **asked), Received([choice], **received))
    assert cure in reason


def test_a_reason_is_logged_once(caplog, monkeypatch) -> None:
    monkeypatch.setattr(lifecycle, "_said", set())
    for _ in range(2):
        ScriptedModel(entries=[]).invoke("hi", config=Traced().config)
    assert [record.message.startswith("no logprobs from ScriptedModel") for record in caplog.records] == [True]


def test_a_backend_that_raises_does_not_reach_the_chain() -> None:
    class Broken(TracerProvider):
        def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
            tracer: Any = super().get_tracer(*args, **kwargs)
            tracer.start_span = None
            return tracer

    handler = LogprobsCallbackHandler(tracer_provider=Broken(shutdown_on_exit=False))
    answer = asyncio.run(ScriptedModel().ainvoke("hi", config={"callbacks": [handler]}))
    assert answer.content == "".join(TOKENS)


def test_tokens_outside_the_answers_text_are_recorded_and_not_measured() -> None:
    # llama.cpp has an entry for the end of the text, and strips the fence around a structured answer.
    fence = [entry("```json\n", -3.0), entry("{}", -0.5), entry("\n```", -4.0), entry("", -7.0)]

    class Stripping(ScriptedModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            result = super()._generate(*args, **kwargs)
            result.generations[0].message.content = result.generations[0].text = "{}"
            return result

    traced = Traced()
    Stripping(entries=fence).invoke("hi", config=traced.config)
    attributes = traced.call.attributes
    assert attributes["logprobs.values"] == (-3.0, -0.5, -4.0, -7.0)
    assert (attributes["logprobs.token.count"], attributes["logprobs.token.outside_count"]) == (1, 3)
    assert (attributes["logprobs.mean"], attributes["logprobs.min.index"]) == (-0.5, 1)
    assert attributes["logprobs.min.token"] == "{}"
    assert attributes["logprobs.low_confidence.detected"] is False


def test_invoked_and_streamed_answers_measure_the_same_with_and_without_an_end_mark() -> None:
    whole, streamed_ = Traced(), Traced()
    ScriptedModel(entries=[*ENTRIES, entry("", -6.0)]).invoke("hi", config=whole.config)
    list(ScriptedModel(entries=ENTRIES).stream("hi", config=streamed_.config))
    assert whole.call.attributes["logprobs.mean"] == streamed_.call.attributes["logprobs.mean"]
    assert len(whole.call.attributes["logprobs.tokens"]) == 6


def test_an_answer_whose_tokens_do_not_fit_its_text_is_measured_whole() -> None:
    class Other(ScriptedModel):
        def _generate(self, *args: Any, **kwargs: Any) -> Any:
            result = super()._generate(*args, **kwargs)
            result.generations[0].message.content = result.generations[0].text = "Something else entirely."
            return result

    traced = Traced()
    Other().invoke("hi", config=traced.config)
    attributes = traced.call.attributes
    assert attributes["logprobs.token.count"] == 5
    assert "logprobs.token.outside_count" not in attributes
    assert (attributes["logprobs.status"], attributes["logprobs.alignment"]) == ("partial", "failed")
