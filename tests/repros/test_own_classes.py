"""Family H: logprobs that a class of somebody's own keeps elsewhere, under the names that its server uses."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_logprobs import confidence_of
from tests.repros.calls import Scripted, entries, short
from tests.support import Traced

CONTENT = entries([("The", -0.1), (" sky", -0.2)])
IDS = [[-0.1, 5, "The"], [-0.2, 6, " sky"]]
TGI = [{"id": 1, "text": "The", "logprob": -0.1}, {"id": 2, "text": " sky", "logprob": -0.2, "special": False}]
LLAMA = [{"id": 1, "token": "The", "logprob": -0.1, "top_logprobs": []}, {"id": 2, "token": " sky", "logprob": -0.2}]
OLD_LLAMA = [
    {"content": word, "probs": [{"tok_str": word, "prob": math.exp(logprob)}]}
    for word, logprob in (("The", -0.1), (" sky", -0.2))
]
VLLM = [{"5": {"logprob": -0.1, "decoded_token": "The"}}, {"6": {"logprob": -0.2, "decoded_token": " sky"}}]
GEMINI = {"chosen_candidates": [{"token": "The", "log_probability": -0.1}, {"token": " sky", "log_probability": -0.2}]}
HOLDERS: list[Any] = [
    pytest.param({"logprobs": {"content": CONTENT}}, id="openai"),
    pytest.param({"logprobs": CONTENT}, id="entries"),
    pytest.param({"log_probs": {"content": CONTENT}}, id="log_probs"),
    pytest.param({"tokens": ["The", " sky"], "token_logprobs": [-0.1, -0.2]}, id="token_logprobs"),
    pytest.param({"token_logprobs": [-0.1, -0.2], "tokens": ["The", " sky"], "top_logprobs": None}, id="and-no-tops"),
    pytest.param({"meta_info": {"id": "1", "output_token_logprobs": IDS}}, id="sglang"),
    pytest.param({"logprobs": {"output_token_logprobs": IDS}}, id="sglang-own-key"),
    pytest.param({"details": {"finish_reason": "length", "tokens": TGI}}, id="tgi"),
    pytest.param({"logprobs": {"tokens": TGI}}, id="tgi-own-key"),
    pytest.param({"completion_probabilities": LLAMA}, id="llama.cpp"),
    pytest.param({"completion_probabilities": OLD_LLAMA}, id="older-llama.cpp"),
    pytest.param({"logprobs": VLLM}, id="vllm-objects"),
    pytest.param({"logprobs": GEMINI}, id="gemini"),
    pytest.param({"logprobsResult": GEMINI}, id="gemini-own-key"),
]


def message(place: str, held: dict[str, Any]) -> tuple[AIMessage, dict[str, Any]]:
    """The answer with what its class keeps at a place, and its generation_info."""
    if place == "generation_info":
        return AIMessage("The sky"), held
    return AIMessage("The sky", **{place: held}), {}


@pytest.mark.parametrize("held", HOLDERS)
@pytest.mark.parametrize("place", ["generation_info", "response_metadata", "additional_kwargs"])
@pytest.mark.parametrize("path", ["invoke", "ainvoke"])
def test_they_are_found_wherever_they_are(held: dict[str, Any], place: str, path: str) -> None:
    traced = Traced()
    answer, info = message(place, held)
    model = Scripted(message=answer, info=info, chunks=[])
    if path == "invoke":
        said = model.invoke("q", config=traced.config)
    else:
        said = asyncio.run(model.ainvoke("q", config=traced.config))
    attributes = short(traced)
    assert (attributes["status"], attributes["token.count"]) == ("recorded", 2)
    assert attributes["confidence.score"] == pytest.approx(math.exp(-0.15))
    assert attributes["tokens"] == ("The", " sky")
    assert confidence_of(said).score == pytest.approx(math.exp(-0.15))


@pytest.mark.parametrize("place", ["generation_info", "response_metadata", "additional_kwargs"])
def test_they_are_found_in_chunks(place: str) -> None:
    traced = Traced()
    chunks = []
    for item in CONTENT:
        held = {"logprobs": {"content": [item]}}
        fields: dict[str, Any] = {} if place == "generation_info" else {place: held}
        info = held if place == "generation_info" else None
        chunks.append(ChatGenerationChunk(message=AIMessageChunk(item["token"], **fields), generation_info=info))
    list(Scripted(message=AIMessage(""), info={}, chunks=chunks).stream("q", config=traced.config))
    assert short(traced)["token.count"] == 2


@pytest.mark.parametrize(
    "held",
    [
        {"details": {"tokens": 42}},
        {"details": "stop"},
        {"meta_info": {"id": "1"}},
        {"token_logprobs": None},
        {"completion_probabilities": None},
        {"logprobsResult": {}},
    ],
)
def test_names_that_others_use_too_hold_none(held: dict[str, Any]) -> None:
    traced = Traced()
    Scripted(message=AIMessage("The sky", additional_kwargs=held), info=held, chunks=[]).invoke(
        "q", config=traced.config
    )
    assert short(traced)["status"] == "not_requested"


def test_what_cannot_be_read_is_said() -> None:
    traced = Traced()
    Scripted(message=AIMessage("The sky"), info={"logprobs": [-0.1, -0.2]}, chunks=[]).invoke("q", config=traced.config)
    said = short(traced)
    assert said["status"] == "partial"
    assert "unknown format" in said["status.reason"]
    assert "token.count" not in said
