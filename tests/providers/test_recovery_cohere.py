"""Cohere's API v2 through langchain-cohere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from tests.providers.recorder import PATHS, Recorder, run
from tests.providers.wire import Request, WireServer, json_body, sse

cohere = pytest.importorskip("langchain_cohere")
chat_models = pytest.importorskip("langchain_cohere.chat_models")

# Cohere gives the logprobs of a stretch of text, which can be several tokens.
ITEMS = [
    {"text": "Hello", "token_ids": [1], "logprobs": [-0.0012]},
    {"text": " world", "token_ids": [2, 3], "logprobs": [-0.25, -0.5]},
]
ENTRIES: list[dict[str, Any]] = [
    {"token": "Hello", "logprob": -0.0012, "top_logprobs": []},
    {"token": " world", "logprob": -0.25, "top_logprobs": []},
    {"token": "", "logprob": -0.5, "top_logprobs": []},
]
USAGE = {"billed_units": {"input_tokens": 1, "output_tokens": 3}, "tokens": {"input_tokens": 1, "output_tokens": 3}}


def answer(request: Request) -> Any:
    asked = request.json.get("logprobs")
    if not request.json.get("stream"):
        message = {"role": "assistant", "content": [{"type": "text", "text": "Hello world"}]}
        body = {"id": "r", "finish_reason": "COMPLETE", "message": message, "usage": USAGE}
        return json_body({**body, "logprobs": ITEMS} if asked else body)
    events: list[dict[str, Any]] = [
        {"type": "message-start", "id": "r", "delta": {"message": {"role": "assistant", "content": []}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    ]
    for item in ITEMS:
        delta = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": item["text"]}}}}
        events.append({**delta, "logprobs": item} if asked else delta)
    events.append({"type": "content-end", "index": 0})
    events.append({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}})
    return sse(events, named=True)


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        server.answer("/v2/chat", answer)
        yield server


@pytest.fixture
def patched() -> Iterator[None]:
    undo = recover_dropped_logprobs("cohere")
    yield
    undo()


def chat(wire: WireServer, **options: Any) -> Any:
    return cohere.ChatCohere(model="command-r", base_url=wire.url, cohere_api_key="unused", **options)


@pytest.mark.parametrize("path", PATHS)
def test_equals_the_wire(wire: WireServer, patched: None, path: str) -> None:
    recorder, got = run(chat(wire), path, logprobs=True)
    assert wire.requests[-1].json["logprobs"] is True
    assert recorder.end_info["logprobs"] == {"content": ENTRIES}
    assert got.response_metadata["logprobs"] == {"content": ENTRIES}
    assert recorder.streamed_entries == ([] if "invoke" in path else ENTRIES)
    assert "".join(each["token"] for each in ENTRIES) == got.text
    assert not recorder.errors


@pytest.mark.parametrize("path", ["invoke", "ainvoke"])
def test_a_streaming_constructor(wire: WireServer, patched: None, path: str) -> None:
    recorder, got = run(chat(wire, streaming=True), path, logprobs=True)
    assert recorder.streamed_entries == ENTRIES
    assert got.response_metadata["logprobs"] == {"content": ENTRIES}


def test_streaming_v3_hands_every_token_to_the_callbacks(wire: WireServer, patched: None) -> None:
    recorder = Recorder()
    for _ in chat(wire).stream_events("hi", {"callbacks": [recorder]}, version="v3", logprobs=True):
        pass
    assert recorder.streamed_entries == ENTRIES


def test_what_a_callback_calls_itself_is_not_mixed_in(wire: WireServer, patched: None) -> None:
    model = chat(wire)

    class Curious(Recorder):
        """Asks the SDK something else with every token."""

        raise_error = True

        def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
            super().on_llm_new_token(token, **kwargs)
            question = [{"role": "user", "content": "hi"}]
            assert len(list(model.client.v2.chat_stream(model="m", messages=question, logprobs=True))) > 2

    recorder = Curious()
    for _ in model.stream_events("hi", {"callbacks": [recorder]}, version="v3"):
        pass
    assert not recorder.errors
    assert len(recorder.chunks) == 2
    # The stream itself did not ask.
    assert [chunk.generation_info for chunk in recorder.chunks] == [None, None]


@pytest.mark.parametrize("path", PATHS)
def test_unpatched_they_are_dropped(wire: WireServer, path: str) -> None:
    recorder, got = run(chat(wire), path, logprobs=True)
    assert "logprobs" not in recorder.end_info
    assert "logprobs" not in got.response_metadata


@pytest.mark.parametrize("path", PATHS)
def test_what_else_the_call_gives_is_as_before(wire: WireServer, path: str) -> None:
    _, before = run(chat(wire), path)
    undo = recover_dropped_logprobs("cohere")
    try:
        _, after = run(chat(wire), path, logprobs=True)
    finally:
        undo()
    del after.response_metadata["logprobs"]
    assert {**after.model_dump(), "id": None} == {**before.model_dump(), "id": None}


def test_the_sdk_itself_is_as_before(wire: WireServer, patched: None) -> None:
    """The patch listens in the SDK, but only to what langchain-cohere asks of it."""
    events = chat(wire).client.v2.chat_stream(model="m", messages=[{"role": "user", "content": "hi"}], logprobs=True)
    assert [event.logprobs.text for event in events if event.type == "content-delta"] == ["Hello", " world"]


def test_patch_unpatch_patch_again(wire: WireServer) -> None:
    for _ in range(2):
        undo = recover_dropped_logprobs("cohere")
        assert run(chat(wire), "astream", logprobs=True)[0].streamed_entries == ENTRIES
        undo()
        assert not run(chat(wire), "astream", logprobs=True)[0].streamed


def test_a_consumer_that_leaves_closes_the_stream(wire: WireServer, patched: None) -> None:
    recorder = Recorder()
    stream = chat(wire).stream("hi", {"callbacks": [recorder]}, logprobs=True)
    next(stream)
    stream.close()
    assert recorder.streamed_entries == ENTRIES[:1]
    assert [type(error) for error in recorder.errors] == [GeneratorExit]


def test_two_streams_read_in_turns_keep_their_own(wire: WireServer, patched: None) -> None:
    recorders = [Recorder(), Recorder()]
    streams = [chat(wire).stream("hi", {"callbacks": [each]}, logprobs=True) for each in recorders]
    for _ in zip(*streams, strict=True):
        pass
    assert [each.streamed_entries for each in recorders] == [ENTRIES, ENTRIES]


@pytest.mark.parametrize("path", ["invoke", "ainvoke"])
def test_an_upstream_that_keeps_them_is_not_doubled(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    original = chat_models.ChatCohere._get_generation_info_v2

    def keeping(self: Any, response: Any, documents: Any = None) -> Any:
        return {**original(self, response, documents), "logprobs": [item.text for item in response.logprobs]}

    monkeypatch.setattr(chat_models.ChatCohere, "_get_generation_info_v2", keeping)
    undo = recover_dropped_logprobs("cohere")
    try:
        _, got = run(chat(wire), path, logprobs=True)
    finally:
        undo()
    assert got.response_metadata["logprobs"] == ["Hello", " world"]
