"""Where LangChain puts a container, and read_logprobs, which reads it from there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk, LLMResult

from langchain_logprobs.formats.answer import find_container, read_logprobs
from langchain_logprobs.formats.tokens import TokenLogprob, Tokens

C1 = {"content": [{"token": "a", "logprob": -1.0}]}
C2 = {"content": [{"token": "b", "logprob": -2.0}]}
A, B = [TokenLogprob("a", -1.0)], [TokenLogprob("b", -2.0)]
VERTEX = [{"token": "a", "logprob": -1.0}]
SGLANG = {"id": "x", "output_token_logprobs": [[-1.0, 12, "a"]]}
TGI = {"finish_reason": "length", "tokens": [{"id": 12, "text": "a", "logprob": -1.0}]}
GEMINI = {"chosenCandidates": [{"token": "a", "logProbability": -1.0}]}


@pytest.mark.parametrize(
    ("info", "metadata", "expected"),
    [
        ({"logprobs": C1}, {"logprobs": C2}, C1),
        ({"logprobs": None}, {"logprobs": C2}, C2),
        ({"finish_reason": "stop"}, {"logprobs": C2}, C2),
        (None, {"logprobs": C2}, C2),
        ("wrong", "wrong", None),
        (None, None, None),
        ({"logprobs": 0.0}, {"logprobs": -1.0}, 0.0),
        ({"logprobs_result": VERTEX}, {}, {"logprobs_result": VERTEX}),
        ({"logprobs": None, "logprobs_result": VERTEX}, {}, {"logprobs_result": VERTEX}),
        ({"logprobs_result": None}, {"logprobs_result": VERTEX}, {"logprobs_result": VERTEX}),
        ({"logprobs": True}, {"logprobs": C2}, C2),  # the request's flag
        ({"logprobs": None, "log_probs": C1}, {"logprobs": C2}, C1),  # community LlamaCpp
        (
            {"token_logprobs": [-1.0], "tokens": ["a"], "finish_reason": "stop"},
            None,
            {"tokens": ["a"], "token_logprobs": [-1.0]},
        ),
        ({"token_logprobs": "none"}, {"logprobs": C2}, C2),
        ({"completion_probabilities": VERTEX}, None, {"completion_probabilities": VERTEX}),
        ({"meta_info": SGLANG}, {"logprobs": C2}, SGLANG),
        ({"meta_info": {"id": "x", "prompt_tokens": 3}}, {"logprobs": C2}, C2),
        ({"meta_info": "x", "details": 3}, {"logprobs": C2}, C2),
        (None, {"details": TGI, "generated_text": "a"}, TGI),
        ({"details": {"tokens": 5}}, None, None),
        ({"details": {"tokens": ["a"]}}, None, None),
        ({"details": {"tokens": [{"text": "a", "count": 3}]}}, None, None),
        ({"logprobs_result": GEMINI}, None, GEMINI),
        ({"logprobsResult": GEMINI}, None, GEMINI),
        ({"logprobsResult": [1]}, None, None),
    ],
)
def test_generation_info_counts_before_the_message(info: Any, metadata: Any, expected: Any) -> None:
    assert find_container(info, SimpleNamespace(response_metadata=metadata)) == expected


def test_the_container_is_no_copy() -> None:
    assert find_container({"logprobs": C1}, None) is C1
    assert find_container(None, object()) is None


@pytest.mark.parametrize("holder", [{"logprobs": C1}, {"log_probs": C1}, {"completion_probabilities": VERTEX}])
def test_a_messages_additional_kwargs_are_looked_at_last(holder: dict[str, Any]) -> None:
    message = AIMessage("a", additional_kwargs=holder)
    assert read_logprobs(message) == [A]
    assert read_logprobs(ChatGeneration(message=message)) == [A]
    assert find_container({"logprobs": C2}, message) is C2
    assert find_container(None, AIMessage("b", additional_kwargs=holder, response_metadata={"logprobs": C2})) is C2


def chat(text: str, info: Any = None, **metadata: Any) -> ChatGeneration:
    return ChatGeneration(message=AIMessage(text, response_metadata=metadata), generation_info=info)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (LLMResult(generations=[[chat("a", {"logprobs": C1}, logprobs=C1), chat("b", {"logprobs": C2})]]), [A, B]),
        (LLMResult(generations=[[chat("a", {"logprobs": C1})], [chat("?"), chat("b", logprobs=C2)]]), [A, [], B]),
        (LLMResult(generations=[[]]), [[]]),
        (LLMResult(generations=[]), [[]]),
        (SimpleNamespace(generations=[Generation(text="a", generation_info={"logprobs": C1})]), [A]),
        (Generation(text="a", generation_info={"logprobs": C1}), [A]),
        (Generation(text="a"), [[]]),
        (chat("a", {"logprobs": C1}, logprobs=C1), [A]),
        (AIMessage("a", response_metadata={"logprobs": C1}), [A]),
        (AIMessage("a"), [[]]),
        (HumanMessage("a"), [[]]),
        (GenerationChunk(text="a", generation_info={"logprobs": -1.0}), [A]),
        (ChatGenerationChunk(message=AIMessageChunk(content="a"), generation_info={"logprobs": -1.0}), [A]),
        (AIMessageChunk(content="a", response_metadata={"logprobs": [{"12": -1.0}]}), [A]),
        (AIMessageChunk(content=[{"type": "text", "text": "a"}], response_metadata={"logprobs": -1.0}), [A]),
        (AIMessage("several tokens", response_metadata={"logprobs": -1.0}), [[TokenLogprob("", -1.0)]]),
        ({"logprobs": C1, "finish_reason": "stop"}, [A]),
        ({"logprobs_result": VERTEX, "avg_logprobs": -1.0}, [A]),
        ({"logprobs": None}, [[]]),
        ({"finish_reason": "stop"}, [[]]),
        ({}, [[]]),
        (None, [[]]),
        (C1, [A]),
        (VERTEX, [A]),
        ([], [[]]),
        ({"raw": AIMessage("a", response_metadata={"logprobs": C1}), "parsed": None, "parsing_error": None}, [A]),
        ({"raw": AIMessage("a"), "parsed": {}, "parsing_error": None}, [[]]),
        ({"content": "a", "completion_probabilities": VERTEX, "model": "x"}, [A]),  # llama.cpp's whole answer
        ({"text": "a", "meta_info": SGLANG}, [A]),
        (SGLANG, [A]),
        ({"generated_text": "a", "details": TGI}, [A]),
        (TGI, [A]),
        (GEMINI, [A]),
        ({"details": "nothing of the kind"}, [[]]),
        (-1.0, [[TokenLogprob("", -1.0)]]),
        (SimpleNamespace(content=[SimpleNamespace(token="a", logprob=-1.0)]), [A]),
    ],
)
def test_read_logprobs(source: Any, expected: list[list[TokenLogprob]]) -> None:
    assert read_logprobs(source) == expected


@pytest.mark.parametrize("source", ["text", b"x", True, object(), ["text"], LLMResult, 1j, [-1.0, -2.0]])
def test_read_logprobs_names_what_it_reads(source: Any) -> None:
    with pytest.raises(TypeError, match="give an LLMResult, a Generation, an AIMessage"):
        read_logprobs(source)


def test_what_is_read_is_measured_without_being_copied() -> None:
    (tokens,) = read_logprobs(AIMessage("a", response_metadata={"logprobs": C1}))
    assert Tokens.of(tokens) is tokens
    assert tokens.logprobs == [-1.0]
