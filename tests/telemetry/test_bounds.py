"""Every span takes at most `span_bytes` and 2 KB, whatever a model, a user or a provider made of it."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from langchain_logprobs import Settings
from langchain_logprobs.telemetry.bounds import cut_text
from langchain_logprobs.telemetry.messages import cut_messages, input_messages
from tests.profile import examples
from tests.support import Traced, entry

OVER = 2_048


def size(span: ReadableSpan) -> int:
    return len(encode_spans([span]).SerializeToString())


def call(
    traced: Traced,
    entries: list[Any],
    *,
    params: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    text: str | None = None,
    info: dict[str, Any] | None = None,
    tool_calls: Any = (),
    messages: Any = (),
    choices: int = 1,
    streamed: bool = False,
    error: BaseException | None = None,
    name: str = "chain",
) -> None:
    """One model call inside a chain, through the callbacks themselves: what a provider can do to them has no bound."""
    handler, root, run_id = traced.handler, uuid4(), uuid4()
    handler.on_chain_start({}, {}, run_id=root, name=name, metadata=metadata or {})
    handler.on_chat_model_start(
        {},
        [list(messages)],
        run_id=run_id,
        parent_run_id=root,
        metadata=metadata or {},
        invocation_params={"logprobs": True, **(params or {})},
    )
    if streamed:
        for item in entries:
            message = AIMessageChunk(content=item["token"])
            chunk = ChatGenerationChunk(message=message, generation_info={"logprobs": {"content": [item]}})
            handler.on_llm_new_token(item["token"], chunk=chunk, run_id=run_id)
    whole = "".join(item["token"] for item in entries) if text is None else text
    given = {"logprobs": {"content": entries}, "finish_reason": "stop", **(info or {})}
    answer = AIMessage(whole, response_metadata=dict(given), tool_calls=[*tool_calls])
    generation = ChatGeneration(message=answer, generation_info=given)
    if error is not None:
        handler.on_llm_error(error, run_id=run_id)
        handler.on_chain_error(error, run_id=root)
    else:
        handler.on_llm_end(LLMResult(generations=[[generation] * choices]), run_id=run_id)
        handler.on_chain_end({}, run_id=root)


def check(traced: Traced, most: int) -> list[Any]:
    spans = [*traced.spans]
    assert len(spans) == 2
    for span in spans:
        assert size(span) <= most + OVER, span.name
    return spans


BIG = "x" * 1_000_000
LOW = [
    entry(
        f"w{number} ",
        -3.0,
        *((f"{letter}" * 20_000, -2.0 - index) for index, letter in enumerate("abcdefghijklmnopqrst")),
    )
    for number in range(20)
]
KEYED = json.dumps({"k" * 10_000: [0] * 100})
NUMBERED = json.dumps({f"key_{number}": f"value {number}" for number in range(3_000)})


def cut(text: str, probability: float = -0.9) -> list[Any]:
    return [entry(text[at : at + 4], probability, ("other", -1.0)) for at in range(0, len(text), 4)]


CASES: dict[str, dict[str, Any]] = {
    "alternatives of 20 KB": {"entries": LOW},
    "a token of 1 MB": {"entries": [entry(BIG, -4.0, (BIG + "y", -0.1))]},
    "a token of 1 MB among others": {"entries": [*cut("a b c d e f "), entry(BIG, -4.0), *cut("a b c d e f ")]},
    "a key of 10,000 characters over 100 values": {"entries": cut(KEYED), "params": {"max_fields": 10_000}},
    "3,000 fields": {"entries": cut(NUMBERED)},
    "stop sequences of 4 MB": {"entries": cut("answer"), "params": {"stop": ["s" * 1_000_000] * 4}},
    "100,000 stop sequences": {"entries": cut("answer"), "params": {"stop": ["s"] * 100_000}},
    "a model's name of 1 MB": {"entries": cut("answer"), "params": {"model": BIG, "_type": BIG}},
    "metadata of 1 MB": {"entries": cut("a"), "metadata": {"ls_provider": BIG, "thread_id": BIG, "ls_model_name": BIG}},
    "an id, a finish reason and a model of 1 MB": {
        "entries": cut("answer"), "info": {"id": BIG, "finish_reason": BIG, "model_name": BIG}, "choices": 9},
    "a chain's name of 1 MB": {"entries": cut("answer"), "name": BIG},
    "an image of 6 MB": {
        "entries": cut("answer"),
        "messages": [HumanMessage([{"type": "text", "text": "What is it?"},
                                   {"type": "image_url", "image_url": {"url": "data:image/png;base64," + BIG * 6}}])]},
    "a prompt of 1 MB": {"entries": cut("answer"), "messages": [HumanMessage(BIG), HumanMessage("and then?")]},
    "a prompt of control characters": {"entries": cut("answer"), "messages": [HumanMessage("\x01" * 300_000)]},
    "10,000 messages": {"entries": cut("answer"), "messages": [HumanMessage("a")] * 10_000},
    "an answer of 1 MB without tokens": {"entries": [], "text": BIG},
    "tool calls of 1 MB": {
        "entries": cut('{"a": 1}'), "text": "",
        "tool_calls": [{"name": BIG, "args": {"k" * 9_000: BIG}, "id": "1", "type": "tool_call"}] * 3},
    "every second token outside, censored": {
        "entries": [entry("a" if at % 2 else "<|im_end|>", -9999.0) for at in range(9_000)], "text": "a" * 4_500},
    "20 choices": {"entries": LOW, "choices": 20},
    "an error of 1 MB": {"entries": cut("answer"), "error": ValueError(BIG), "streamed": True},
    "an error of emoji": {"entries": cut("answer"), "error": ValueError("\U0001f600" * 9_000)},
    "a stream of 20,000 tokens": {"entries": cut("word" * 20_000, -2.5), "streamed": True},
    "emoji": {"entries": [entry("\U0001f600" * 3_000, -3.0, ("\U0001f601" * 3_000, -0.2))] * 30},
}  # fmt: skip


@pytest.mark.parametrize("span_bytes", [4_096, 262_144])
@pytest.mark.parametrize("case", CASES)
def test_nobody_makes_a_span_larger(case: str, span_bytes: int) -> None:
    traced = Traced(Settings(span_bytes=span_bytes, capture_messages=True))
    call(traced, **CASES[case])
    check(traced, span_bytes)


def test_what_is_cut_is_said_and_the_numbers_stay() -> None:
    traced = Traced(Settings(capture_messages=True))
    call(traced, cut("a short answer, "), params={"stop": ["s" * 1_000_000] * 4}, messages=[HumanMessage(BIG)])
    attributes: Any = traced.named("chat")[0].attributes
    assert attributes["logprobs.left_out"] == ("gen_ai.input.messages", "gen_ai.request.stop_sequences")
    assert all(len(each) == 2_000 for each in attributes["gen_ai.request.stop_sequences"])
    assert "".join(attributes["logprobs.tokens"]) == "a short answer, "
    assert attributes["logprobs.token.count"] == len(attributes["logprobs.values"]) == 4
    (message,) = json.loads(attributes["gen_ai.input.messages"])
    assert message["role"] == "user"
    assert message["parts"][0]["content"].startswith("xxxx")
    assert message["parts"][0]["content"].endswith("x …")
    plain = Traced(Settings(capture_messages=True))
    call(plain, cut("a short answer, "), params={"stop": ["s"]}, messages=[HumanMessage("x")])
    assert "logprobs.left_out" not in plain.named("chat")[0].attributes


def test_arrays_that_belong_together_are_cut_together() -> None:
    traced = Traced(Settings(span_bytes=20_000, max_fields=10_000))
    call(traced, cut(NUMBERED))
    attributes: Any = traced.named("chat")[0].attributes
    fields = [name for name in attributes if name.startswith("logprobs.fields.") and name.endswith("s")]
    lengths = {len(attributes[name]) for name in fields if isinstance(attributes[name], tuple)}
    assert len(lengths) == 1
    assert 0 < lengths.pop() < 3_000
    assert attributes["logprobs.fields.count"] == 3_000
    assert len(attributes["logprobs.values"]) == len(attributes["logprobs.tokens"])
    assert attributes["logprobs.tokens.recorded"] == len(attributes["logprobs.tokens"])
    assert attributes["logprobs.left_out"]


# Random inputs, each of whose parts may be as large as an attacker likes.

HUGE = st.sampled_from(
    ["", "a", "é" * 700, "\U0001f600" * 5_000, "\x00" * 9_000, '"\\' * 4_000, "x" * 60_000, "\ud83d"]
)
TEXT = st.one_of(st.text(max_size=8), HUGE)
LOGPROB = st.one_of(st.floats(-9.0, 0.0), st.sampled_from([-9999.0, None, float("nan"), -50.0]))
ENTRY = st.builds(
    lambda token, logprob, others: entry(token.encode("utf-8", "replace").decode(), logprob, *others),
    TEXT,
    LOGPROB,
    st.lists(st.tuples(TEXT.map(lambda text: text.encode("utf-8", "replace").decode()), LOGPROB), max_size=4),
)
JSON = st.recursive(
    st.one_of(st.integers(-5, 5), st.booleans(), TEXT.map(lambda text: text.encode("utf-8", "replace").decode())),
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)
BLOCK = st.one_of(TEXT, st.fixed_dictionaries({"type": TEXT, "text": TEXT}), st.fixed_dictionaries({"data": TEXT}))
CHOSEN = st.builds(
    Settings,
    span_bytes=st.sampled_from([4_096, 5_000, 10_000, 60_000, 262_144]),
    detail_bytes=st.sampled_from([0, 45_400, 4_000_000]),
    max_chunk_events=st.sampled_from([1, 64, 128]),
    max_stretches=st.sampled_from([0, 16, 128]),
    max_fields=st.sampled_from([0, 64, 10_000]),
    alternatives=st.sampled_from(["low", "all", "none"]),
    events=st.sampled_from(["span", "none"]),
    capture_messages=st.booleans(),
)
HOSTILE = st.fixed_dictionaries(
    {
        "entries": st.one_of(
            st.builds(lambda some, times: some * times, st.lists(ENTRY, max_size=6), st.sampled_from([1, 2, 20])),
            JSON.map(lambda value: cut(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode())),
        )
    },
    optional={
        "params": st.dictionaries(
            st.sampled_from(["model", "_type", "stop", "seed", "temperature", "n"]),
            st.one_of(TEXT, st.lists(TEXT, max_size=5), st.integers(), st.floats()),
        ),
        "metadata": st.dictionaries(st.sampled_from(["ls_provider", "thread_id", "lc_agent_name"]), TEXT),
        "text": TEXT,
        "info": st.dictionaries(st.sampled_from(["id", "finish_reason", "model_name", "stop_reason"]), TEXT),
        "tool_calls": st.lists(
            st.builds(
                lambda name, args: {"name": name, "args": args, "id": "1", "type": "tool_call"},
                TEXT,
                st.dictionaries(TEXT, JSON, max_size=3),
            ),
            max_size=3,
        ),
        "messages": st.lists(st.builds(HumanMessage, st.one_of(TEXT, st.lists(BLOCK, max_size=3))), max_size=4),
        "choices": st.sampled_from([1, 2, 30]),
        "streamed": st.booleans(),
        "error": st.builds(ValueError, TEXT),
        "name": TEXT,
    },
)
"""Some of everything that a model, a user or a provider writes."""


def fuzz(chosen: Settings, hostile: dict[str, Any]) -> None:
    traced = Traced(chosen)
    call(traced, **hostile)
    check(traced, chosen.span_bytes)


@settings(max_examples=examples(300), suppress_health_check=[*HealthCheck])
@given(CHOSEN, HOSTILE)
def test_no_random_input_makes_a_span_larger(chosen: Settings, hostile: dict[str, Any]) -> None:
    fuzz(chosen, hostile)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@settings(max_examples=5_000, suppress_health_check=[*HealthCheck])
@given(CHOSEN, HOSTILE)
def test_nor_do_five_thousand(chosen: Settings, hostile: dict[str, Any]) -> None:
    fuzz(chosen, hostile)


# The pieces.


@given(TEXT, st.integers(0, 3_000))
def test_a_text_is_cut_between_characters(text: str, most: int) -> None:
    shorter = cut_text(text, most)
    assert len(shorter.encode("utf-8", "replace")) <= max(most, 0) or shorter == text
    assert len(text.encode("utf-8", "replace")) > most or shorter == text
    assert shorter == text or text.encode("utf-8", "replace").startswith(shorter.encode())


@given(
    st.lists(st.builds(HumanMessage, st.one_of(TEXT, st.lists(BLOCK, max_size=3))), max_size=4), st.integers(0, 9_000)
)
def test_messages_are_cut_to_messages(messages: list[Any], most: int) -> None:
    whole = input_messages(messages).encode("utf-8", "replace").decode()
    shorter = cut_messages(whole, most)
    if shorter is None:
        assert most < 40 * len(messages) + 40
        return
    assert len(shorter.encode()) <= max(most, 2)
    assert [each["role"] for each in json.loads(shorter)] == ["user"] * len(messages)
    if len(whole.encode()) <= most:
        assert shorter == whole


def test_an_image_in_a_prompt_is_named_and_not_kept() -> None:
    block = {"type": "image_url", "image_url": {"url": "data:" + BIG}, "more": [BIG, 7, {"deep": BIG}], "n": None}
    (message,) = json.loads(input_messages([HumanMessage([{"type": "text", "text": "What?"}, block])]))
    said = "left out: 1,000,000 characters"
    assert message["parts"][0] == {"type": "text", "content": "What?"}
    assert message["parts"][1]["content"] == {
        "type": "image_url",
        "image_url": {"url": "left out: 1,000,005 characters"},
        "more": [said, 7, {"deep": said}],
        "n": None,
    }
