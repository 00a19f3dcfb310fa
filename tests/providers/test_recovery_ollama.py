"""Ollama through langchain-ollama: the LLM class, and the chat class where LangChain's streaming v3 loses them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from tests.providers.recorder import PATHS, Recorder, run
from tests.providers.wire import Request, WireServer, ndjson

ollama = pytest.importorskip("langchain_ollama")
llms = pytest.importorskip("langchain_ollama.llms")


# LangChain calls its streaming v3 a beta.
pytestmark = pytest.mark.filterwarnings("ignore:The method .*_v3` is in beta")


def entry(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "logprob": logprob, "top_logprobs": [{"token": token, "logprob": logprob}]}


PIECES = [[entry("Hello", -0.0012)], [entry(" wor", -0.25), entry("ld", -0.5)]]
ENTRIES = [each for piece in PIECES for each in piece]


def text_of(piece: list[dict[str, Any]]) -> str:
    return "".join(each["token"] for each in piece)


def answer(request: Request) -> Any:
    chat = request.path.endswith("/chat")
    asked = request.json.get("logprobs")

    def part(text: str) -> dict[str, Any]:
        said = {"message": {"role": "assistant", "content": text}} if chat else {"response": text}
        return {"model": "m", "created_at": "2026-01-01T00:00:00Z", **said}

    counts = {"prompt_eval_count": 1, "eval_count": 3}
    parts = [{**part(text_of(piece)), "done": False, **({"logprobs": piece} if asked else {})} for piece in PIECES]
    return ndjson([*parts, {**part(""), "done": True, "done_reason": "stop", **counts}])


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        server.answer("/api/*", answer)
        yield server


@pytest.fixture
def patched() -> Iterator[None]:
    undo = recover_dropped_logprobs("ollama")
    yield
    undo()


ASK: dict[str, Any] = {"logprobs": True, "top_logprobs": 1}


def llm(wire: WireServer) -> Any:
    return ollama.OllamaLLM(model="m", base_url=wire.url)


@pytest.mark.parametrize("path", PATHS)
def test_the_llm_class_equals_the_wire(wire: WireServer, patched: None, path: str) -> None:
    recorder, got = run(llm(wire), path, **ASK)
    assert wire.requests[-1].json["logprobs"] is True
    assert got == "Hello world"
    assert recorder.end_info["logprobs"] == {"content": ENTRIES}
    assert recorder.streamed_entries == ENTRIES  # invoke streams, too
    assert [token.generation_info.get("done_reason") for token in recorder.chunks if token.text == ""] == ["stop"]
    assert not recorder.errors


@pytest.mark.parametrize("path", PATHS)
def test_the_llm_class_unpatched_drops_them(wire: WireServer, path: str) -> None:
    recorder, _ = run(llm(wire), path, **ASK)
    assert recorder.end_info.get("logprobs") is None
    assert not recorder.streamed


@pytest.mark.parametrize("path", PATHS)
def test_not_asked_for_none_appear(wire: WireServer, patched: None, path: str) -> None:
    recorder, _ = run(llm(wire), path)
    assert recorder.end_info.get("logprobs") is None


@pytest.mark.parametrize("path", PATHS)
def test_each_token_is_told_once_and_as_before(wire: WireServer, path: str) -> None:
    before, _ = run(llm(wire), path)
    undo = recover_dropped_logprobs("ollama")
    try:
        after, _ = run(llm(wire), path, **ASK)
    finally:
        undo()
    assert len(after.token_kwargs) == len(before.token_kwargs) == 3
    assert [{**each, "run_id": None} for each in after.token_kwargs] == [
        {**each, "run_id": None} for each in before.token_kwargs
    ]


def v3(model: Any, asynchronous: bool) -> Recorder:
    recorder = Recorder()

    async def collect() -> None:
        stream = await model.astream_events("hi", {"callbacks": [recorder]}, version="v3", **ASK)
        async for _ in stream:
            pass

    if asynchronous:
        asyncio.run(collect())
    else:
        for _ in model.stream_events("hi", {"callbacks": [recorder]}, version="v3", **ASK):
            pass
    return recorder


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_chat_class_under_streaming_v3(wire: WireServer, asynchronous: bool) -> None:
    chat = ollama.ChatOllama(model="m", base_url=wire.url)
    assert not v3(chat, asynchronous).streamed
    undo = recover_dropped_logprobs("ollama")
    try:
        recorder = v3(chat, asynchronous)
    finally:
        undo()
    # ChatOllama's own shape, which it gives on every other path: a list of the SDK's objects.
    assert [dict(each.model_dump()) for given in recorder.streamed for each in given] == ENTRIES


@pytest.mark.parametrize("path", PATHS)
def test_the_chat_class_elsewhere_is_as_before(wire: WireServer, path: str) -> None:
    chat = ollama.ChatOllama(model="m", base_url=wire.url)
    before, _ = run(chat, path, **ASK)
    undo = recover_dropped_logprobs("ollama")
    try:
        after, _ = run(chat, path, **ASK)
    finally:
        undo()
    assert after.streamed == before.streamed
    assert after.end_info["logprobs"] == before.end_info["logprobs"]
    assert len(after.chunks) == len(before.chunks)


def test_patch_unpatch_patch_again(wire: WireServer) -> None:
    for _ in range(2):
        undo = recover_dropped_logprobs("ollama")
        assert run(llm(wire), "invoke", **ASK)[0].streamed_entries == ENTRIES
        undo()
        assert not run(llm(wire), "invoke", **ASK)[0].streamed


@pytest.mark.parametrize("path", PATHS)
def test_an_upstream_that_keeps_them_is_not_doubled(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A stand-in: the chunks that OllamaLLM makes carry what the event in hand brought."""
    seen: list[Any] = []
    original, aoriginal = llms.OllamaLLM._create_generate_stream, llms.OllamaLLM._acreate_generate_stream
    chunk_class = llms.GenerationChunk

    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        for event in original(self, *args, **kwargs):
            seen[:] = [each.model_dump() for each in event.get("logprobs") or ()]
            yield event

    async def anoting(self: Any, *args: Any, **kwargs: Any) -> Any:
        async for event in aoriginal(self, *args, **kwargs):
            seen[:] = [each.model_dump() for each in event.get("logprobs") or ()]
            yield event

    def chunk(text: str, generation_info: Any = None) -> Any:
        return chunk_class(text=text, generation_info={**(generation_info or {}), "logprobs": list(seen) or None})

    monkeypatch.setattr(llms.OllamaLLM, "_create_generate_stream", noting)
    monkeypatch.setattr(llms.OllamaLLM, "_acreate_generate_stream", anoting)
    monkeypatch.setattr(llms, "GenerationChunk", chunk)
    undo = recover_dropped_logprobs("ollama")
    try:
        recorder, _ = run(llm(wire), path, **ASK)
    finally:
        undo()
    assert recorder.end_info["logprobs"] == ENTRIES
    assert [each for given in recorder.streamed for each in given] == ENTRIES
