"""NVIDIA's endpoints through langchain-nvidia-ai-endpoints: a server that speaks OpenAI's chat and completions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from tests.providers.recorder import PATHS, Recorder, run
from tests.providers.wire import Request, WireServer, json_body, sse

nvidia = pytest.importorskip("langchain_nvidia_ai_endpoints")


# From 1.5 on the integration reports its use over the network, unless it is told not to.
QUIET = {"usage_telemetry_enabled": False} if "usage_telemetry_enabled" in nvidia.ChatNVIDIA.model_fields else {}


def entry(token: str, logprob: float) -> dict[str, Any]:
    top = [{"token": token, "logprob": logprob, "bytes": list(token.encode())}]
    return {**top[0], "top_logprobs": top}


PIECES = [[entry("Hello", -0.0012)], [entry(" wor", -0.25), entry("ld", -0.5)]]
ENTRIES = [each for piece in PIECES for each in piece]
# Legacy completions' shape, as the NVIDIA class (an LLM) gets it.
LISTS: dict[str, list[Any]] = {
    "text_offset": [0, 5],
    "tokens": ["Hello", " world"],
    "token_logprobs": [-0.5, -0.25],
    "top_logprobs": [{"Hello": -0.5}, {" world": -0.25}],
}


def text_of(piece: list[dict[str, Any]]) -> str:
    return "".join(each["token"] for each in piece)


def chat_answer(request: Request) -> Any:
    asked = request.json.get("logprobs")

    def logprobs(content: list[Any]) -> Any:
        return {"content": content} if asked else None

    base = {"id": "c", "created": 1, "model": "m"}
    usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    if not request.json.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": text_of(ENTRIES)}, "finish_reason": "stop"}
        return json_body({**base, "choices": [{**choice, "logprobs": logprobs(ENTRIES)}], "usage": usage})
    choices = [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    choices += [
        {"index": 0, "delta": {"content": text_of(piece)}, "finish_reason": None, "logprobs": logprobs(piece)}
        for piece in PIECES
    ]
    choices.append({"index": 0, "delta": {"content": ""}, "finish_reason": "stop"})
    chunks: list[dict[str, Any]] = [{**base, "choices": [choice]} for choice in choices]
    return sse([*chunks, {**base, "choices": [], "usage": usage}])


def completion_answer(request: Request) -> Any:
    base = {"id": "c", "created": 1, "model": "m"}
    if not request.json.get("stream"):
        return json_body({**base, "choices": [{"index": 0, "text": "Hello world", "logprobs": LISTS}]})
    pieces = [{key: value[at : at + 1] for key, value in LISTS.items()} for at in range(2)]
    return sse([{**base, "choices": [{"index": 0, "text": each["tokens"][0], "logprobs": each}]} for each in pieces])


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        server.answer("/v1/models", json_body({"data": [{"id": "m", "object": "model"}]}))
        server.answer("/v1/chat/completions", chat_answer)
        server.answer("/v1/completions", completion_answer)
        yield server


@pytest.fixture
def patched() -> Iterator[None]:
    undo = recover_dropped_logprobs("nvidia")
    yield
    undo()


def chat(wire: WireServer, cls: Any = None) -> Any:
    model = (cls or nvidia.ChatNVIDIA)(base_url=wire.url + "/v1", model="m", api_key="unused", **QUIET)
    return model.bind(logprobs=True, top_logprobs=1)


@pytest.mark.parametrize("path", PATHS)
def test_equals_the_wire(wire: WireServer, patched: None, path: str) -> None:
    recorder, got = run(chat(wire), path)
    assert wire.requests[-1].json["logprobs"] is True
    assert recorder.end_info["logprobs"] == {"content": ENTRIES}
    assert got.response_metadata["logprobs"] == {"content": ENTRIES}
    assert recorder.streamed_entries == ([] if "invoke" in path else ENTRIES)
    assert got.content == "Hello world"
    assert not recorder.errors


@pytest.mark.parametrize("path", PATHS)
def test_unpatched_they_are_dropped(wire: WireServer, path: str) -> None:
    recorder, got = run(chat(wire), path)
    assert "logprobs" not in recorder.end_info
    assert "logprobs" not in got.response_metadata


def test_streaming_v3_hands_every_token_to_the_callbacks(wire: WireServer, patched: None) -> None:
    recorder = Recorder()
    for _ in chat(wire).bound.stream_events("hi", {"callbacks": [recorder]}, version="v3", logprobs=True):
        pass
    assert recorder.streamed_entries == ENTRIES


@pytest.mark.parametrize("path", PATHS)
def test_what_else_the_call_gives_is_as_before(wire: WireServer, path: str) -> None:
    _, before = run(chat(wire), path)
    undo = recover_dropped_logprobs("nvidia")
    try:
        _, after = run(chat(wire), path)
    finally:
        undo()
    del after.response_metadata["logprobs"]
    assert {**after.model_dump(), "id": None} == {**before.model_dump(), "id": None}


@pytest.mark.parametrize("path", PATHS)
def test_the_llm_class(wire: WireServer, patched: None, path: str) -> None:
    model = nvidia.NVIDIA(base_url=wire.url + "/v1", model="m", api_key="unused", **QUIET)
    recorder, got = run(model.bind(logprobs=1), path)
    assert got == "Hello world"
    assert recorder.end_info["logprobs"] == LISTS
    assert [each["tokens"] for each in recorder.streamed] == ([] if "invoke" in path else [["Hello"], [" world"]])


def test_the_llm_class_with_several_prompts(wire: WireServer, patched: None) -> None:
    none = {"id": "c", "choices": [{"index": 0, "text": "no logprobs", "logprobs": None}]}
    some = {"id": "c", "choices": [{"index": 0, "text": "Hello world", "logprobs": LISTS}]}
    wire.answer("/v1/completions", json_body(none), json_body(some))
    model = nvidia.NVIDIA(base_url=wire.url + "/v1", model="m", api_key="unused", **QUIET)
    result = model.generate(["a", "b"], logprobs=1)
    assert [(each.text, each.generation_info) for (each,) in result.generations] == [
        ("no logprobs", None),
        ("Hello world", {"logprobs": LISTS}),
    ]


def test_patch_unpatch_patch_again(wire: WireServer) -> None:
    for _ in range(2):
        undo = recover_dropped_logprobs("nvidia")
        assert run(chat(wire), "stream")[0].streamed_entries == ENTRIES
        undo()
        assert not run(chat(wire), "stream")[0].streamed
    assert "_generate" not in vars(nvidia.NVIDIA)


@pytest.mark.parametrize("path", PATHS)
def test_an_upstream_that_keeps_them_is_not_doubled(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A stand-in for an integration that puts what it is sent into the message's metadata."""
    client = nvidia._common._NVIDIABaseClient
    process, chunk = nvidia.ChatNVIDIA._process_generate_response, nvidia.ChatNVIDIA._process_stream_chunk
    aggregate = client._aggregate_msgs

    def aggregating(self: Any, messages: Any) -> Any:
        holder, stopped = aggregate(self, messages)
        choices = messages[0].get("choices") or [{}]
        return {**holder, "kept": choices[0].get("logprobs")}, stopped

    def processing(self: Any, response: Any, *args: Any) -> Any:
        result = process(self, response, *args)
        result.generations[0].message.response_metadata["logprobs"] = result.llm_output["kept"]
        return result

    def chunking(self: Any, response: Any, *args: Any) -> Any:
        made = chunk(self, response, *args)
        if response.get("kept"):
            made.message.response_metadata["logprobs"] = response["kept"]
        return made

    monkeypatch.setattr(client, "_aggregate_msgs", aggregating)
    monkeypatch.setattr(nvidia.ChatNVIDIA, "_process_generate_response", processing)
    monkeypatch.setattr(nvidia.ChatNVIDIA, "_process_stream_chunk", chunking)
    undo = recover_dropped_logprobs("nvidia")
    try:
        recorder, got = run(chat(wire), path)
    finally:
        undo()
    assert got.response_metadata["logprobs"] == {"content": ENTRIES}
    assert "logprobs" not in recorder.end_info  # nothing added beside the integration's own
