"""What the span says by the GenAI conventions, whatever LangChain hands on."""

from __future__ import annotations

import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from langchain_logprobs.telemetry.genai import (
    conversation_attributes,
    provider_name,
    request_attributes,
    request_model,
    response_attributes,
    server_attributes,
)


@pytest.mark.parametrize(
    ("metadata", "params", "name"),
    [
        ({"ls_provider": "openai"}, {}, "openai"),
        ({"ls_provider": "Amazon_Bedrock"}, {}, "aws.bedrock"),
        ({"ls_provider": "mistral"}, {"_type": "other"}, "mistral_ai"),
        ({}, {"_type": "azure"}, "azure.ai.openai"),
        ({}, {"_type": "MyOwn"}, "myown"),
        ({}, {}, "unknown"),
    ],
)
def test_the_provider(metadata: dict[str, Any], params: dict[str, Any], name: str) -> None:
    assert provider_name(metadata, params) == name


@pytest.mark.parametrize(
    ("metadata", "params", "name"),
    [
        ({"ls_model_name": "c"}, {"model": "a", "model_name": "b"}, "a"),
        ({"ls_model_name": "c"}, {"model": "", "model_name": "b"}, "b"),
        ({"ls_model_name": "c"}, {"model": 5, "model_id": "d"}, "c"),
        ({}, {"model_id": "d"}, "d"),
        ({}, {}, None),
    ],
)
def test_the_model(metadata: dict[str, Any], params: dict[str, Any], name: str | None) -> None:
    assert request_model(metadata, params) == name


PREFIX = "gen_ai.request."


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"temperature": 1, "top_p": 0.5}, {"temperature": 1.0, "top_p": 0.5}),
        ({"top_k": 40.0, "seed": 7}, {"top_k": 40.0, "seed": 7}),
        ({"frequency_penalty": -1, "presence_penalty": 0.0}, {"frequency_penalty": -1.0, "presence_penalty": 0.0}),
        ({"temperature": math.nan, "top_p": math.inf, "top_k": -math.inf, "seed": True}, {}),
        ({"seed": 2**63 - 1}, {"seed": 2**63 - 1}),
        ({"seed": 2**63}, {}),
        ({"seed": -(2**63)}, {"seed": -(2**63)}),
        ({"seed": -(2**63) - 1}, {}),
        ({"temperature": "hot", "seed": None}, {}),
        ({"max_tokens": 9, "num_predict": 5}, {"max_tokens": 9}),
        ({"max_tokens": None, "max_completion_tokens": 8}, {"max_tokens": 8}),
        ({"max_output_tokens": 0}, {"max_tokens": 0}),
        ({"max_tokens": 9.5, "max_new_tokens": True}, {}),
        ({"stop": "x"}, {}),  # text: written when the call ends
        ({"n": 1}, {}),
        ({"n": 2}, {"choice.count": 2}),
        ({"n": True}, {}),
        ({"n": 2**64}, {}),
    ],
)  # fmt: skip
def test_the_parameters_of_a_request(params: dict[str, Any], expected: dict[str, Any]) -> None:
    found = {name.removeprefix(PREFIX): value for name, value in request_attributes(params, {})}
    assert found == expected
    assert {name: type(value) for name, value in found.items()} == {n: type(v) for n, v in expected.items()}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"thread_id": "t", "session_id": "s"}, "t"),
        ({"thread_id": "", "session_id": "s"}, "s"),
        ({"conversation_id": 0}, "0"),
        ({"thread_id": None}, None),
    ],
)
def test_the_conversation(metadata: dict[str, Any], expected: str | None) -> None:
    assert dict(conversation_attributes(metadata)).get("gen_ai.conversation.id") == expected


def answer(usage: Any = None, info: Any = None, **message: Any) -> ChatGeneration:
    made = AIMessage("x", **message)
    object.__setattr__(made, "usage_metadata", usage)
    return ChatGeneration(message=made, generation_info=info)


def usage(into: int, out: int, **details: Any) -> dict[str, Any]:
    return {"input_tokens": into, "output_tokens": out, "total_tokens": into + out, **details}


def said(*generations: Any, cached: bool = False, **output: Any) -> dict[str, Any]:
    result = LLMResult(generations=[list(generations)], llm_output=output or None)
    return dict(response_attributes(result, generations, cached=cached))


@pytest.mark.parametrize("choices", [1, 2, 5])
def test_the_usage_of_several_choices_is_that_of_the_call(choices: int) -> None:
    # LangChain copies the provider's usage, which is of all choices together, to each of them.
    found = said(*[answer(usage(3, 20)) for _ in range(choices)])
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (3, 20)


def test_the_usage_in_full() -> None:
    details = {
        "input_token_details": {"cache_read": 2, "cache_creation": 1, "audio": 9},
        "output_token_details": {"reasoning": 4},
    }
    assert said(answer(usage(3, 20, **details))) == {
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 2,
        "gen_ai.usage.cache_write.input_tokens": 1,
        "gen_ai.usage.reasoning.output_tokens": 4,
    }


def test_usage_of_nothing_is_written_and_details_of_nothing_are_not() -> None:
    found = said(answer(usage(0, 0, input_token_details={"cache_read": 0}, output_token_details={"reasoning": 0})))
    assert found == {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}


@pytest.mark.parametrize(
    "wrong", [None, 5, "x", {}, {"input_tokens": "3"}, {"input_tokens": 2**63}, usage(True, False)]
)
def test_usage_that_is_none(wrong: Any) -> None:
    assert said(answer(wrong)) == {}


def test_a_cached_answers_tokens_were_used_when_it_was_made() -> None:
    assert said(answer(usage(3, 20), {"finish_reason": "stop"}), cached=True) == {
        "gen_ai.response.finish_reasons": ["stop"]
    }


@pytest.mark.parametrize("key", ["token_usage", "usage"])
@pytest.mark.parametrize(("into", "out"), [("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")])
def test_the_usage_of_a_completion_model(key: str, into: str, out: str) -> None:
    usage: dict[str, Any] = {key: {into: 3, out: 20}}
    found = said(Generation(text="x"), **usage)
    assert found == {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 20}


def test_who_answered() -> None:
    found = said(
        answer(info={"finish_reason": "length"}, response_metadata={"model_name": "m-1", "id": "r-1"}),
        answer(response_metadata={"stop_reason": "end_turn"}),
        answer(info={"done_reason": "stop"}, response_metadata={"finish_reason": "not this"}),
    )
    assert found == {
        "gen_ai.response.model": "m-1",
        "gen_ai.response.id": "r-1",
        "gen_ai.response.finish_reasons": ["length", "end_turn", "stop"],
    }
    assert said(Generation(text="x"), model="m-2")["gen_ai.response.model"] == "m-2"


@pytest.mark.parametrize(
    ("message_id", "expected"),
    [("chatcmpl-1", "chatcmpl-1"), ("lc_run--1", None), ("run-1", None), (None, None)],
)
def test_the_id_on_the_message_of_a_stream(message_id: str | None, expected: str | None) -> None:
    assert said(answer(id=message_id)).get("gen_ai.response.id") == expected


def test_no_answer_at_all() -> None:
    assert dict(response_attributes(None, [])) == {}


@pytest.mark.parametrize(
    ("serialized", "params", "server"),
    [
        ({"kwargs": {"openai_api_base": "http://localhost:8080/v1"}}, {}, ("localhost", 8080)),
        ({"kwargs": {"azure_endpoint": "https://mine.openai.azure.com/"}}, {}, ("mine.openai.azure.com", None)),
        ({"repr": "ChatOllama(model='m', base_url='http://10.0.0.7:11434')"}, {}, ("10.0.0.7", 11434)),
        ({"repr": "ChatOllama(model='m')", "kwargs": None}, {}, None),
        ({}, {"base_url": "https://user:secret@example.org:443/v1?key=secret"}, ("example.org", 443)),
        ({"kwargs": {"endpoint_url": "http://[::1]:9/"}}, {}, ("::1", 9)),
        ({"kwargs": {"base_url": "http://host:port/"}}, {}, None),
        ({"kwargs": {"base_url": "http://[broken"}}, {}, None),
        ({"kwargs": {"base_url": "localhost:8080"}}, {}, None),
        ({"kwargs": {"base_url": None, "endpoint": 5}}, {}, None),
        (None, {}, None),
        ("ChatOpenAI", {}, None),
    ],
)
def test_the_server(serialized: Any, params: dict[str, Any], server: tuple[str, int | None] | None) -> None:
    found = dict(server_attributes(serialized, params))
    host, port = server or (None, None)
    expected = {"server.address": host, "server.port": port}
    assert found == {name: value for name, value in expected.items() if value is not None}
