"""LiteLLM through langchain-litellm: streams, and everything of the router."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from tests.providers.recorder import PATHS, Recorder, run
from tests.providers.wire import Request, WireServer, json_body, sse

# Otherwise litellm fetches its price list from the internet when it is imported.
os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

langchain_litellm = pytest.importorskip("langchain_litellm")
litellm = pytest.importorskip("litellm")

# litellm's own types and streams: pydantic remarks on a TypedDict with read-only items, and on how fields are listed.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Item .* is using the `ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*fields' attribute on the instance:DeprecationWarning"),
]


def entry(token: str, logprob: float) -> dict[str, Any]:
    top = [{"token": token, "logprob": logprob, "bytes": list(token.encode())}]
    return {**top[0], "top_logprobs": top}


PIECES = [[entry("Hello", -0.0012)], [entry(" wor", -0.25), entry("ld", -0.5)]]
ENTRIES = [each for piece in PIECES for each in piece]


def text_of(piece: list[dict[str, Any]]) -> str:
    return "".join(each["token"] for each in piece)


def answer(request: Request) -> Any:
    asked = request.json.get("logprobs")

    def logprobs(content: list[Any]) -> Any:
        return {"content": content, "refusal": None} if asked else None

    base = {"id": "c", "created": 1, "model": "gpt-4o"}
    usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    if not request.json.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": text_of(ENTRIES)}, "finish_reason": "stop"}
        choices = [{**choice, "logprobs": logprobs(ENTRIES)}]
        return json_body({**base, "object": "chat.completion", "choices": choices, "usage": usage})
    base["object"] = "chat.completion.chunk"
    choices = [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    choices += [
        {"index": 0, "delta": {"content": text_of(piece)}, "finish_reason": None, "logprobs": logprobs(piece)}
        for piece in PIECES
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    chunks: list[dict[str, Any]] = [{**base, "choices": [choice]} for choice in choices]
    return sse([*chunks, {**base, "choices": [], "usage": usage}])


@pytest.fixture(autouse=True)
def event_loop() -> Iterator[None]:
    """litellm asks for the current event loop from synchronous code, which would make one that nobody closes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        server.answer("/v1/chat/completions", answer)
        yield server


@pytest.fixture
def patched() -> Iterator[None]:
    undo = recover_dropped_logprobs("litellm")
    yield
    undo()


MODELS = ["ChatLiteLLM", "ChatLiteLLMRouter"]


def chat(wire: WireServer, name: str, **options: Any) -> Any:
    options["model_kwargs"] = {"logprobs": True, "top_logprobs": 1}
    there = {"api_base": wire.url + "/v1", "api_key": "unused"}
    if name == "ChatLiteLLM":
        return langchain_litellm.ChatLiteLLM(model="openai/gpt-4o", max_retries=0, **there, **options)
    served = {"model_name": "group", "litellm_params": {"model": "openai/gpt-4o", **there}}
    router = litellm.Router(model_list=[served], num_retries=0)
    return langchain_litellm.ChatLiteLLMRouter(router=router, **options)


def content_of(logprobs: Any) -> list[Any]:
    """ChatLiteLLM keeps litellm's object on a plain call, and that is not ours to change."""
    plain = logprobs if isinstance(logprobs, dict) else logprobs.model_dump()
    return [{key: each[key] for key in ENTRIES[0]} for each in plain["content"]]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", MODELS)
def test_equals_the_wire(wire: WireServer, patched: None, name: str, path: str) -> None:
    recorder, got = run(chat(wire, name), path)
    assert wire.requests[-1].json["logprobs"] is True
    assert content_of(recorder.end_info["logprobs"]) == ENTRIES
    assert content_of(got.response_metadata["logprobs"]) == ENTRIES
    assert content_of({"content": recorder.streamed_entries}) == ([] if "invoke" in path else ENTRIES)
    assert got.content == "Hello world"
    assert not recorder.errors


@pytest.mark.parametrize(("name", "path"), [(name, path) for name in MODELS for path in PATHS])
def test_unpatched_they_are_dropped(wire: WireServer, name: str, path: str) -> None:
    recorder, _ = run(chat(wire, name), path)
    kept = name == "ChatLiteLLM" and "invoke" in path
    assert (recorder.end_info.get("logprobs") is not None) is kept


@pytest.mark.parametrize("path", ["invoke", "ainvoke"])
@pytest.mark.parametrize("name", MODELS)
def test_a_streaming_constructor(wire: WireServer, patched: None, name: str, path: str) -> None:
    recorder, got = run(chat(wire, name, streaming=True), path)
    assert content_of({"content": recorder.streamed_entries}) == ENTRIES
    assert content_of(got.response_metadata["logprobs"]) == ENTRIES


@pytest.mark.parametrize("name", MODELS)
def test_streaming_v3_hands_every_token_to_the_callbacks(wire: WireServer, patched: None, name: str) -> None:
    recorder = Recorder()
    for _ in chat(wire, name).stream_events("hi", {"callbacks": [recorder]}, version="v3"):
        pass
    assert content_of({"content": recorder.streamed_entries}) == ENTRIES


@pytest.mark.parametrize("name", MODELS)
def test_a_call_of_the_users_own_gets_what_litellm_gives(wire: WireServer, name: str) -> None:
    def stream() -> Any:
        messages = [{"role": "user", "content": "hi"}]
        served = "openai/gpt-4o" if name == "ChatLiteLLM" else "group"
        there = {"api_base": wire.url + "/v1", "api_key": "unused"} if name == "ChatLiteLLM" else {}
        return chat(wire, name).completion_with_retry(model=served, messages=messages, stream=True, **there)

    before = stream()
    undo = recover_dropped_logprobs("litellm")
    try:
        after = stream()
    finally:
        undo()
    assert type(after).__qualname__ == type(before).__qualname__
    for each in (before, after):
        assert sum(1 for _ in each) > 2


@pytest.mark.parametrize("path", ["invoke", "astream"])
@pytest.mark.parametrize("name", MODELS)
def test_patch_unpatch_patch_again(wire: WireServer, name: str, path: str) -> None:
    unpatched = run(chat(wire, name), path)[0].end_info.get("logprobs")
    for _ in range(2):
        undo = recover_dropped_logprobs("litellm")
        assert content_of(run(chat(wire, name), path)[0].end_info["logprobs"]) == ENTRIES
        undo()
        assert run(chat(wire, name), path)[0].end_info.get("logprobs") == unpatched


def test_an_upstream_that_keeps_them_is_not_doubled(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for a router that reads them from whole answers."""
    original = langchain_litellm.ChatLiteLLMRouter._create_chat_result

    def keeping(self: Any, response: Any, **params: Any) -> Any:
        result = original(self, response, **params)
        result.generations[0].generation_info["logprobs"] = ["kept"]
        return result

    monkeypatch.setattr(langchain_litellm.ChatLiteLLMRouter, "_create_chat_result", keeping)
    undo = recover_dropped_logprobs("litellm")
    try:
        recorder, _ = run(chat(wire, "ChatLiteLLMRouter"), "invoke")
    finally:
        undo()
    assert recorder.end_info["logprobs"] == ["kept"]
