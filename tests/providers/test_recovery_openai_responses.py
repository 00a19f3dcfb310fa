"""OpenAI's Responses API: what goes over the wire is what LangChain's callbacks get, once it is patched."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from tests.providers.recorder import PATHS, Recorder, run
from tests.providers.wire import Body, Request, WireServer, json_body, sse

openai = pytest.importorskip("langchain_openai")
base = pytest.importorskip("langchain_openai.chat_models.base")


def entry(token: str, logprob: float, other: str) -> dict[str, Any]:
    """A token as a delta carries it: without bytes."""
    top = [{"token": token, "logprob": logprob}, {"token": other, "logprob": -9999.0}]
    return {"token": token, "logprob": logprob, "top_logprobs": top}


def with_bytes(each: dict[str, Any]) -> dict[str, Any]:
    """A token as a whole response carries it."""
    top = [{**one, "bytes": list(one["token"].encode())} for one in each["top_logprobs"]]
    return {**each, "bytes": list(each["token"].encode()), "top_logprobs": top}


# Two output_text parts in one message, one of them with two tokens in a delta, and a second message.
PARTS = [
    [[entry("Hello", -0.0012, "Hi")], [entry(" wor", -0.25, " all"), entry("ld", -0.5, "d")]],
    [[entry("!", 0.0, ".")]],
]
LAST_PART = [[entry(" Bye", -1.5, " bye")]]
STREAMED = [each for part in [*PARTS, LAST_PART] for delta in part for each in delta]
WHOLE = [with_bytes(each) for each in STREAMED]


def text_of(part: list[list[dict[str, Any]]]) -> str:
    return "".join(each["token"] for delta in part for each in delta)


def output_text(part: list[list[dict[str, Any]]], asked: bool = True) -> dict[str, Any]:
    logprobs = [with_bytes(each) for delta in part for each in delta] if asked else []
    return {"type": "output_text", "text": text_of(part), "annotations": [], "logprobs": logprobs}


def response(output: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 3,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 8,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1741476542,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": "gpt-4o-2024-08-06",
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "text": {"format": {"type": "text"}},
        "usage": usage,
        **more,
    }


def message(item_id: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "message", "id": item_id, "status": "completed", "role": "assistant", "content": parts}


def whole(asked: bool = True) -> dict[str, Any]:
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    first = message("msg_1", [output_text(part, asked) for part in PARTS])
    return response([reasoning, first, message("msg_2", [output_text(LAST_PART, asked)])])


def events(last: str = "response.completed", asked: bool = True) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = [{"type": "response.created", "response": {**response([]), "status": "in_progress"}}]
    places = [("msg_1", 1, 0, PARTS[0]), ("msg_1", 1, 1, PARTS[1]), ("msg_2", 2, 0, LAST_PART)]
    for item_id, output_index, content_index, part in places:
        at = {"item_id": item_id, "output_index": output_index, "content_index": content_index}
        if content_index == 0:
            item = {**message(item_id, []), "status": "in_progress"}
            made.append({"type": "response.output_item.added", "output_index": output_index, "item": item})
        for delta in part:
            text = "".join(each["token"] for each in delta)
            logprobs = delta if asked else []
            made.append({"type": "response.output_text.delta", **at, "delta": text, "logprobs": logprobs})
        everything = [each for delta in part for each in delta] if asked else []
        made.append({"type": "response.output_text.done", **at, "text": text_of(part), "logprobs": everything})
    made.append({"type": last, "response": whole(asked)})
    return numbered(made)


def numbered(made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**event, "sequence_number": number} for number, event in enumerate(made)]


def answer(request: Request) -> Body:
    asked = "message.output_text.logprobs" in (request.json.get("include") or [])
    return sse(events(asked=asked), named=True, done=None) if request.json.get("stream") else json_body(whole(asked))


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        server.answer("/v1/responses", answer)
        yield server


@pytest.fixture
def patched() -> Iterator[None]:
    undo = recover_dropped_logprobs("openai_responses")
    yield
    undo()


def chat(wire: WireServer, **options: Any) -> Any:
    defaults = {"include": ["message.output_text.logprobs"], "top_logprobs": 2, "use_responses_api": True}
    return openai.ChatOpenAI(
        model="gpt-4o", base_url=wire.url + "/v1", api_key="unused", max_retries=0, **{**defaults, **options}
    )


OUTPUT_VERSIONS = [None, "v0", "responses/v1", "v1"]


@pytest.mark.parametrize("output_version", OUTPUT_VERSIONS)
@pytest.mark.parametrize("path", PATHS)
def test_equals_the_wire(wire: WireServer, patched: None, path: str, output_version: str | None) -> None:
    recorder, got = run(chat(wire, output_version=output_version), path)
    sent = WHOLE if "invoke" in path else STREAMED
    assert recorder.end_info["logprobs"] == {"content": sent}
    assert got.response_metadata["logprobs"] == {"content": sent}
    assert recorder.streamed_entries == ([] if "invoke" in path else STREAMED)
    assert got.text == "Hello world! Bye"
    assert not recorder.errors


@pytest.mark.parametrize("path", PATHS)
def test_unpatched_they_are_dropped(wire: WireServer, path: str) -> None:
    recorder, got = run(chat(wire), path)
    assert "logprobs" not in recorder.end_info
    assert "logprobs" not in got.response_metadata
    assert not recorder.streamed
    assert wire.requests[-1].json["include"] == ["message.output_text.logprobs"]


@pytest.mark.parametrize("path", PATHS)
def test_not_asked_for_none_appear(wire: WireServer, patched: None, path: str) -> None:
    recorder, got = run(chat(wire, include=None), path)
    assert "logprobs" not in recorder.end_info
    assert "logprobs" not in got.response_metadata


def test_patch_unpatch_patch_again(wire: WireServer) -> None:
    originals = base._construct_lc_result_from_responses_api, base._convert_responses_chunk_to_generation_chunk
    for _ in range(2):
        undo = recover_dropped_logprobs("openai_responses")
        assert run(chat(wire), "invoke")[0].end_info["logprobs"] == {"content": WHOLE}
        undo()
        assert "logprobs" not in run(chat(wire), "stream")[0].end_info
    assert originals == (
        base._construct_lc_result_from_responses_api,
        base._convert_responses_chunk_to_generation_chunk,
    )


@pytest.mark.parametrize("path", ["invoke", "astream"])
def test_an_incomplete_answer_keeps_its_tokens(wire: WireServer, patched: None, path: str) -> None:
    cut_short = {**whole(), "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    last = [*events()[:-1], {"type": "response.incomplete", "response": cut_short, "sequence_number": 99}]
    wire.answer("/v1/responses", json_body(cut_short) if path == "invoke" else sse(last, named=True, done=None))
    recorder, _ = run(chat(wire), path)
    assert recorder.end_info["logprobs"] == {"content": WHOLE if path == "invoke" else STREAMED}


def test_a_streaming_constructor_gives_the_deltas(wire: WireServer, patched: None) -> None:
    recorder, got = run(chat(wire, streaming=True), "invoke")
    assert recorder.streamed_entries == STREAMED
    assert got.response_metadata["logprobs"] == {"content": STREAMED}


def test_streaming_v3_hands_every_token_to_the_callbacks(wire: WireServer, patched: None) -> None:
    model, recorder = chat(wire), Recorder()
    if not hasattr(model, "stream_events"):
        pytest.skip("this langchain-core has no streaming v3")
    for _ in model.stream_events("hi", {"callbacks": [recorder]}, version="v3"):
        pass
    assert recorder.streamed_entries == STREAMED


class Verdict(BaseModel):
    """A schema."""

    sure: bool


VERDICT = [[entry('{"sure"', -0.1, "{")], [entry(":true}", -0.7, ":false}")]]
VERDICT_STREAMED = [each for delta in VERDICT for each in delta]
VERDICT_WHOLE = [with_bytes(each) for each in VERDICT_STREAMED]


def verdict_answer(request: Request) -> Body:
    text = {"format": request.json["text"]["format"]}
    final = response([message("msg_1", [output_text(VERDICT)])], text=text)
    if not request.json.get("stream"):
        return json_body(final)
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    item = {**message("msg_1", []), "status": "in_progress"}
    deltas = [
        {"type": "response.output_text.delta", **at, "delta": delta[0]["token"], "logprobs": delta} for delta in VERDICT
    ]
    done = {"type": "response.output_text.done", **at, "text": text_of(VERDICT), "logprobs": VERDICT_STREAMED}
    made: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**response([]), "status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        *deltas,
        done,
        {"type": "response.completed", "response": final},
    ]
    return sse(numbered(made), named=True, done=None)


# Before 1.1, langchain-openai itself dumps the SDK's parsed answers in a way that pydantic warns about.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
@pytest.mark.parametrize("schema", [Verdict, Verdict.model_json_schema()], ids=["pydantic", "json_schema"])
@pytest.mark.parametrize("path", PATHS)
def test_structured_output(wire: WireServer, patched: None, path: str, schema: Any) -> None:
    wire.answer("/v1/responses", verdict_answer)
    recorder = Recorder()
    chain = chat(wire).with_structured_output(schema, method="json_schema", include_raw=True)
    config: Any = {"callbacks": [recorder]}

    async def collect() -> list[Any]:
        return [part async for part in chain.astream("hi", config)]

    if path == "invoke":
        parts = [chain.invoke("hi", config)]
    elif path == "ainvoke":
        parts = [asyncio.run(chain.ainvoke("hi", config))]
    else:
        parts = list(chain.stream("hi", config)) if path == "stream" else asyncio.run(collect())
    got = {key: value for part in parts for key, value in part.items()}
    (result,) = recorder.ends
    sent = VERDICT_WHOLE if "invoke" in path else VERDICT_STREAMED
    assert result.generations[0][0].generation_info["logprobs"] == {"content": sent}
    parsed = got["parsed"]
    assert (parsed.sure if isinstance(parsed, Verdict) else parsed["sure"]) is True
    assert wire.requests[-1].json["text"]["format"]["type"] == "json_schema"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("place", ["response_metadata", "generation_info"])
def test_an_upstream_that_keeps_them_is_not_doubled(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, path: str, place: str
) -> None:
    """A stand-in for a langchain-openai that reads them from whole responses, and so from a stream's last event."""
    construct = base._construct_lc_result_from_responses_api
    convert = base._convert_responses_chunk_to_generation_chunk

    def constructing(response: Any, *args: Any, **kwargs: Any) -> Any:
        result = construct(response, *args, **kwargs)
        kept = [
            one.model_dump()
            for item in response.output
            for part in getattr(item, "content", None) or []
            for one in part.logprobs
        ]
        generation = result.generations[0]
        if place == "response_metadata":
            generation.message.response_metadata["logprobs"] = {"content": kept}
        else:
            generation.generation_info = {"logprobs": {"content": kept}}
        return result

    def converting(event: Any, *args: Any, **kwargs: Any) -> Any:
        converted = convert(event, *args, **kwargs)
        if event.type == "response.completed" and place == "generation_info":
            info = constructing(event.response).generations[0].generation_info
            converted[-1].generation_info = info
        return converted

    monkeypatch.setattr(base, "_construct_lc_result_from_responses_api", constructing)
    monkeypatch.setattr(base, "_convert_responses_chunk_to_generation_chunk", converting)
    _, unpatched = run(chat(wire), path)
    assert unpatched.response_metadata["logprobs"] == {"content": WHOLE}
    undo = recover_dropped_logprobs("openai_responses")
    try:
        recorder, got = run(chat(wire), path)
    finally:
        undo()
    sent = WHOLE if "invoke" in path else STREAMED
    assert got.response_metadata["logprobs"] == {"content": sent}
    if recorder.chunks:
        assert recorder.streamed_entries == STREAMED


def test_an_upstream_that_keeps_the_deltas_is_not_doubled(wire: WireServer, monkeypatch: pytest.MonkeyPatch) -> None:
    convert = base._convert_responses_chunk_to_generation_chunk

    def converting(event: Any, *args: Any, **kwargs: Any) -> Any:
        converted = convert(event, *args, **kwargs)
        if event.type == "response.output_text.delta":
            kept = [each.model_dump() for each in event.logprobs]
            converted[-1].message.response_metadata["logprobs"] = {"content": kept}
        return converted

    monkeypatch.setattr(base, "_convert_responses_chunk_to_generation_chunk", converting)
    undo = recover_dropped_logprobs("openai_responses")
    try:
        recorder, got = run(chat(wire), "stream")
    finally:
        undo()
    assert got.response_metadata["logprobs"] == {"content": STREAMED}
    assert not recorder.streamed  # nothing added beside the integration's own


def test_the_answer_survives_a_failure_in_the_patch(
    wire: WireServer, patched: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from langchain_logprobs.patches import patching
    from langchain_logprobs.patches.recovery import openai_responses

    monkeypatch.setattr(patching, "_said", set())

    def broken(logprobs: Any) -> Any:
        raise KeyError("no such shape")

    monkeypatch.setattr(openai_responses, "_entries", broken)
    for path in PATHS:
        assert run(chat(wire), path)[1].text == "Hello world! Bye"
    assert [record.getMessage() for record in caplog.records if record.name == "langchain_logprobs"] == [
        "could not recover logprobs of openai_responses: KeyError"
    ]


def test_what_it_adds_is_plain_json(wire: WireServer, patched: None) -> None:
    """Plain dicts survive a cache and a trace; the SDK's objects would not."""
    for path in PATHS:
        info = run(chat(wire), path)[0].end_info
        assert json.loads(json.dumps(info["logprobs"])) == info["logprobs"]


def test_chat_completions_are_not_touched(wire: WireServer, patched: None) -> None:
    logprobs = {"content": WHOLE[:1], "refusal": None}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{**choice, "logprobs": logprobs}],
    }
    wire.answer("/v1/chat/completions", json_body(body))
    recorder, _ = run(chat(wire, include=None, use_responses_api=False, top_logprobs=2, logprobs=True), "invoke")
    assert recorder.end_info["logprobs"] == logprobs
