"""Messages without their logprobs, and logprobs that travel beside a `generation_info`."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk

from langchain_logprobs import read_logprobs, strip_logprobs
from langchain_logprobs.formats.answer import find_container
from langchain_logprobs.formats.carrying import Carrying, without_logprobs

C1 = {"content": [{"token": "a", "logprob": -1.0}]}
LEGACY = {"tokens": ["a"], "token_logprobs": [-1.0], "top_logprobs": None, "text_offset": [0], "token_ids": [1]}
SGLANG = {"id": "x", "output_token_logprobs": [[-1.0, 12, "a"]], "input_token_logprobs": []}
TGI = {"finish_reason": "length", "tokens": [{"id": 12, "text": "a", "logprob": -1.0}], "prefill": []}


@pytest.mark.parametrize(
    ("info", "left"),
    [
        ({"logprobs": C1, "model_name": "m"}, {"model_name": "m"}),
        ({"logprobs": None, "finish_reason": "stop"}, {"finish_reason": "stop"}),
        ({"logprobs": True, "top_logprobs": 5}, {"logprobs": True, "top_logprobs": 5}),  # a request's own parameters
        ({"logprobs": -0.5}, {}),  # Together's bare number
        ({"logprobs_result": [], "avg_logprobs": -0.5}, {"avg_logprobs": -0.5}),
        ({"logprobs": [{"12": -0.1}], "prompt_logprobs": [None], "stop_reason": "stop"}, {"stop_reason": "stop"}),
        ({**LEGACY, "id": 1}, {"id": 1}),
        ({"tokens": 5, "token_ids": [1]}, {"tokens": 5, "token_ids": [1]}),  # somebody's own
        ({"meta_info": SGLANG}, {"meta_info": {"id": "x"}}),
        ({"details": TGI}, {"details": {"finish_reason": "length"}}),
        ({"details": {"cached": 1}, "meta_info": "m"}, {"details": {"cached": 1}, "meta_info": "m"}),
        ({"completion_probabilities": [], "logprobsResult": {}}, {}),
        ({}, {}),
    ],
)
def test_what_is_left(info: dict[str, Any], left: dict[str, Any]) -> None:
    before = copy.deepcopy(info)
    assert without_logprobs(info) == left
    assert info == before
    message = AIMessage("a", response_metadata=info, id="1", tool_calls=[{"name": "t", "args": {}, "id": "c"}])
    stripped = strip_logprobs(message)
    assert stripped.response_metadata == left
    assert message.response_metadata == info
    assert (stripped is message) == (left == info)
    assert stripped.model_copy(update={"response_metadata": info}) == message  # nothing else has changed


@pytest.mark.parametrize(
    "answer",
    [
        AIMessage("a", response_metadata={"logprobs": C1}),
        AIMessage("a", additional_kwargs={"logprobs": C1}),
        AIMessageChunk("a", response_metadata={"logprobs": C1}),
        Generation(text="a", generation_info={"logprobs": C1}),
        GenerationChunk(text="a", generation_info=LEGACY),
        ChatGeneration(message=AIMessage("a", response_metadata={"logprobs": C1}), generation_info={"logprobs": C1}),
        ChatGenerationChunk(message=AIMessageChunk("a", response_metadata={"logprobs": C1})),
    ],
)
def test_messages_and_generations(answer: Any) -> None:
    before = answer.model_dump()
    stripped = strip_logprobs(answer)
    assert read_logprobs(stripped) == [[]]
    assert read_logprobs(answer)[0]
    assert type(stripped) is type(answer)
    assert answer.model_dump() == before
    assert strip_logprobs(stripped) is stripped


@pytest.mark.parametrize("message", [HumanMessage("a"), ToolMessage("a", tool_call_id="c"), AIMessage("a")])
def test_a_message_without_any_is_itself(message: Any) -> None:
    assert strip_logprobs(message) is message


@pytest.mark.parametrize("wrong", [None, "a", {"logprobs": C1}, [AIMessage("a")], 5])
def test_what_is_no_message_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="strip_logprobs takes a message or a Generation"):
        strip_logprobs(wrong)


def test_what_is_carried_is_seen_by_nobody_else() -> None:
    info = Carrying({"finish_reason": "stop"}, C1, 5)
    generation = ChatGeneration(message=AIMessage("a"))
    generation.generation_info = info
    assert generation.generation_info is info
    assert find_container(info) is C1
    assert read_logprobs(generation)[0][0].token == "a"
    assert info == {"finish_reason": "stop"}
    assert "-1.0" not in repr(generation) + str(generation.model_dump())
    for other in (copy.deepcopy(info), pickle.loads(pickle.dumps(info)), {**info}, info | {}):
        assert type(other) is dict
        assert other == info


@pytest.mark.parametrize("container", [None, C1])
def test_what_was_left_in_its_place_counts(container: Any) -> None:
    info = Carrying({"logprobs": C1}, None, 5)
    assert find_container(info) is C1
    assert find_container(Carrying({}, container, 5)) is container
