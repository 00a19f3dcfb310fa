"""The answer that every provider of the table sends, in each provider's own protocol.

A server here does what the real one does: it sends logprobs when the request asks for them in that provider's way, and
none otherwise. So a row of the table also proves its "how to ask".
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Callable
from typing import Any

from tests.providers.wire import Answer, Body, Request, json_body, ndjson, sse

TOKENS = ("Hello", " world", "!")
VALUES = (-0.0012, -0.25, -1.5)
TEXT = "".join(TOKENS)
USAGE = {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}

Container = Callable[[tuple[int, ...]], Any]
"""Makes what stands under `logprobs` from the positions of the tokens: all of them, or one for each chunk."""

EVERY = tuple(range(len(TOKENS)))


def entry(i: int, *, with_bytes: bool = True, tops: bool = True) -> dict[str, Any]:
    """One entry of OpenAI's chat format."""
    made: dict[str, Any] = {"token": TOKENS[i], "logprob": VALUES[i]}
    if with_bytes:
        made["bytes"] = list(TOKENS[i].encode())
    if tops:
        second = {"token": " other", "logprob": VALUES[i] - 1.0, "bytes": list(b" other")}
        made["top_logprobs"] = [dict(made), second if with_bytes else {k: second[k] for k in ("token", "logprob")}]
    return made


def chat_container(at: tuple[int, ...]) -> Any:
    """OpenAI's."""
    return {"content": [entry(i) for i in at], "refusal": None}


def reasoning_container(at: tuple[int, ...]) -> Any:
    """DeepSeek's: the reasoning's tokens in a list of their own."""
    return {**chat_container(at), "reasoning_content": [{"token": "So", "logprob": -3.0, "bytes": [83, 111]}] * len(at)}


def plain_container(at: tuple[int, ...]) -> Any:
    """Hugging Face's: no bytes."""
    return {"content": [entry(i, with_bytes=False) for i in at]}


def bare_container(at: tuple[int, ...]) -> Any:
    """watsonx's: neither bytes nor alternatives."""
    return {"content": [entry(i, with_bytes=False, tops=False) for i in at]}


def llama_container(at: tuple[int, ...]) -> Any:
    """llama.cpp's: each entry with the token's id."""
    return {"content": [{"id": 9906 + i, **entry(i)} for i in at]}


def legacy_container(at: tuple[int, ...]) -> Any:
    """Legacy completions'."""
    return {
        "tokens": [TOKENS[i] for i in at],
        "token_logprobs": [VALUES[i] for i in at],
        "top_logprobs": [{TOKENS[i]: VALUES[i], " other": VALUES[i] - 1.0} for i in at],
        "text_offset": [len("".join(TOKENS[:i])) for i in at],
    }


def together_container(at: tuple[int, ...]) -> Any:
    """Together's: lists in an answer in one piece, a bare number in a chunk."""
    if len(at) == 1:
        return VALUES[at[0]]
    return {
        "tokens": [TOKENS[i] for i in at],
        "token_logprobs": [VALUES[i] for i in at],
        "token_ids": [100 + i for i in at],
    }


def flagged(request: Request) -> bool:
    """Asked for with `logprobs: true` (or a number, 0 among them)."""
    return request.json.get("logprobs") not in (None, False)


def streamed(request: Request) -> bool:
    """Asked for in pieces, with `stream: true` (watsonx has a path for that)."""
    return bool(request.json.get("stream")) or request.path.endswith("_stream")


def chat(container: Container = chat_container) -> Answer:
    """Chat completions, plain and streamed."""

    def choice(**fields: Any) -> dict[str, Any]:
        return {"index": 0, "finish_reason": None, "logprobs": None, **fields}

    def answer(request: Request) -> Body:
        if request.method == "GET":  # what some SDKs ask before: the project (watsonx), the workspace (Databricks)
            return json_body({"entity": {"storage": {"type": "bmcos_object_storage"}}})
        wanted = flagged(request)
        frame = {"id": "c-1", "created": 1, "model": "m-1", "system_fingerprint": None}
        if not streamed(request):
            message = {"role": "assistant", "content": TEXT}
            whole = choice(message=message, finish_reason="stop", logprobs=container(EVERY) if wanted else None)
            return json_body({**frame, "object": "chat.completion", "choices": [whole], "usage": USAGE})
        choices = [choice(delta={"role": "assistant", "content": ""})]
        choices += [
            choice(delta={"content": TOKENS[i]}, logprobs=container((i,)) if wanted else None, token_id=100 + i)
            for i in EVERY
        ]
        choices.append(choice(delta={}, finish_reason="stop"))
        done = None if request.path.endswith("_stream") else "[DONE]"
        return sse([{**frame, "object": "chat.completion.chunk", "choices": [each]} for each in choices], done=done)

    return answer


def completions(container: Container = legacy_container) -> Answer:
    """Legacy completions, plain and streamed."""

    def answer(request: Request) -> Body:
        wanted = flagged(request)

        def piece(at: tuple[int, ...], finish: str | None) -> dict[str, Any]:
            text = "".join(TOKENS[i] for i in at)
            choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": container(at) if wanted else None}
            return {"id": "c-1", "object": "text_completion", "created": 1, "model": "m-1", "choices": [choice]}

        if not request.json.get("stream"):
            return json_body({**piece(EVERY, "stop"), "usage": USAGE})
        return sse([piece((i,), "stop" if i == EVERY[-1] else None) for i in EVERY])

    return answer


def responses(request: Request) -> Body:
    """OpenAI's Responses API."""
    wanted = "message.output_text.logprobs" in (request.json.get("include") or [])

    def item(at: tuple[int, ...], status: str) -> dict[str, Any]:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": status,
            "content": [part(at)] * bool(at),
        }

    def part(at: tuple[int, ...]) -> dict[str, Any]:
        logprobs = [entry(i) for i in at] if wanted else []
        return {"type": "output_text", "text": TEXT if at else "", "annotations": [], "logprobs": logprobs}

    def response(at: tuple[int, ...], status: str) -> dict[str, Any]:
        usage = {
            "input_tokens": 2,
            "output_tokens": 3,
            "total_tokens": 5,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1,
            "model": "m-1",
            "status": status,
            "output": [item(at, status)] if at else [],
            "usage": usage if at else None,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        }

    if not request.json.get("stream"):
        return json_body(response(EVERY, "completed"))
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response((), "in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": item((), "in_progress")},
        {"type": "response.content_part.added", **place, "part": part(())},
        *(
            {
                "type": "response.output_text.delta",
                **place,
                "delta": TOKENS[i],
                "logprobs": [entry(i, with_bytes=False)] if wanted else [],
            }
            for i in EVERY
        ),
        {"type": "response.output_text.done", **place, "text": TEXT, "logprobs": part(EVERY)["logprobs"]},
        {"type": "response.content_part.done", **place, "part": part(EVERY)},
        {"type": "response.output_item.done", "output_index": 0, "item": item(EVERY, "completed")},
        {"type": "response.completed", "response": response(EVERY, "completed")},
    ]
    return sse([{"sequence_number": n, **event} for n, event in enumerate(events)], named=True, done=None)


def ollama(request: Request) -> Body:
    """Ollama's /api/chat and /api/generate."""
    wanted = bool(request.json.get("logprobs"))

    def piece(at: tuple[int, ...], done: bool) -> dict[str, Any]:
        text = "".join(TOKENS[i] for i in at)
        made: dict[str, Any] = {"model": "m-1", "created_at": "2026-01-01T00:00:00Z", "done": done}
        if request.path.endswith("/generate"):
            made["response"] = text
        else:
            made["message"] = {"role": "assistant", "content": text}
        if wanted and at:
            made["logprobs"] = [entry(i) for i in at]
        if done:
            made |= {"done_reason": "stop", "prompt_eval_count": 2, "eval_count": 3, "total_duration": 1}
        return made

    if request.json.get("stream"):
        return ndjson([*(piece((i,), False) for i in EVERY), piece((), True)])
    return json_body(piece(EVERY, True))


def gemini(request: Request) -> Body:
    """Gemini and Vertex AI: generateContent and streamGenerateContent (a list of documents where not SSE)."""
    wanted = bool((request.json.get("generationConfig") or {}).get("responseLogprobs"))

    def candidate(token: str, value: float) -> dict[str, Any]:
        return {"token": token, "tokenId": 7, "logProbability": value}

    def piece(at: tuple[int, ...], finish: bool) -> dict[str, Any]:
        parts = [{"text": "".join(TOKENS[i] for i in at)}]
        made: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
        if finish:
            made["finishReason"] = "STOP"
        if wanted:
            chosen = [candidate(TOKENS[i], VALUES[i]) for i in at]
            if finish:
                made["avgLogprobs"] = sum(VALUES) / len(VALUES)
            made["logprobsResult"] = {
                "chosenCandidates": chosen,
                "topCandidates": [
                    {"candidates": [each, candidate(" other", each["logProbability"] - 1.0)]} for each in chosen
                ],
            }
        usage = {"promptTokenCount": 2, "candidatesTokenCount": 3, "totalTokenCount": 5}
        return {"candidates": [made], "usageMetadata": usage, "modelVersion": "m-1"}

    if not request.path.endswith(":streamGenerateContent"):
        return json_body(piece(EVERY, True))
    pieces = [piece((i,), i == EVERY[-1]) for i in EVERY]
    return sse(pieces, done=None) if "alt=sse" in request.query else json_body(pieces)


def bedrock(request: Request) -> Body:
    """Bedrock's InvokeModel for an imported Llama model; the stream is in AWS's binary framing."""
    wanted = bool(request.json.get("return_logprobs"))

    def piece(at: tuple[int, ...], finish: bool) -> dict[str, Any]:
        made: dict[str, Any] = {
            "generation": "".join(TOKENS[i] for i in at),
            "prompt_token_count": 2,
            "generation_token_count": len(at),
            "stop_reason": "stop" if finish else None,
        }
        if wanted:
            made["logprobs"] = [{str(100 + i): VALUES[i]} for i in at]
        return made

    if request.path.endswith("/invoke"):
        return json_body(piece(EVERY, True))
    frames = []
    for i in EVERY:
        document = json.dumps(piece((i,), i == EVERY[-1])).encode()
        frames.append(event_frame("chunk", {"bytes": base64.b64encode(document).decode()}))
    return Body(tuple(frames), content_type="application/vnd.amazon.eventstream")


def converse(request: Request) -> Body:
    """Bedrock's Converse: it has no place for logprobs of its own."""
    if request.path.endswith("/converse"):
        message = {"role": "assistant", "content": [{"text": TEXT}]}
        usage = {"inputTokens": 2, "outputTokens": 3, "totalTokens": 5}
        return json_body(
            {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {"latencyMs": 1}}
        )
    frames = [event_frame("messageStart", {"role": "assistant"})]
    frames += [event_frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": each}}) for each in TOKENS]
    frames.append(event_frame("contentBlockStop", {"contentBlockIndex": 0}))
    frames.append(event_frame("messageStop", {"stopReason": "end_turn"}))
    return Body(tuple(frames), content_type="application/vnd.amazon.eventstream")


def event_frame(event: str, payload: Any) -> bytes:
    """One message of AWS's event stream: lengths, headers, payload, each part with its checksum."""
    fields = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    headers = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", 7, len(value)) + value.encode()
        for name, value in fields.items()
    )
    body = json.dumps(payload).encode()
    prelude = struct.pack("!II", 12 + len(headers) + len(body) + 4, len(headers))
    message = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + body
    return message + struct.pack("!I", zlib.crc32(message))


def cohere(request: Request) -> Body:
    """Cohere's v2 chat."""
    wanted = bool(request.json.get("logprobs"))

    def items(at: tuple[int, ...]) -> Any:
        return [{"text": TOKENS[i], "token_ids": [100 + i], "logprobs": [VALUES[i]]} for i in at] if wanted else None

    tokens = {"input_tokens": 2, "output_tokens": 3}
    usage = {"billed_units": tokens, "tokens": tokens}
    if not request.json.get("stream"):
        message = {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}
        whole = {"id": "c-1", "finish_reason": "COMPLETE", "message": message, "usage": usage}
        return json_body({**whole, "logprobs": items(EVERY)} if wanted else whole)
    events: list[dict[str, Any]] = [
        {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
    ]
    for i in EVERY:
        delta = {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": TOKENS[i]}}}}
        events.append({**delta, "logprobs": items((i,))[0]} if wanted else delta)
    events.append({"type": "content-end", "index": 0})
    events.append({"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}})
    return sse(events, named=True, done=None)


def anthropic(request: Request) -> Body:
    """Anthropic's messages, which have no logprobs."""
    usage = {"input_tokens": 2, "output_tokens": 3}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m-1", "stop_sequence": None, "usage": usage}
    if not request.json.get("stream"):
        return json_body({**message, "content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"})
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    ]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": each}} for each in TOKENS
    ]
    events.append({"type": "content_block_stop", "index": 0})
    ending = {"stop_reason": "end_turn", "stop_sequence": None}
    events.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 3}})
    events.append({"type": "message_stop"})
    return sse(events, named=True, done=None)


def text_generation(request: Request) -> Body:
    """Hugging Face's text-generation-inference, which sends token details only to who asks for them."""
    if not request.json.get("stream"):
        return json_body([{"generated_text": TEXT}])
    return sse(
        [{"token": {"id": i, "text": TOKENS[i], "logprob": VALUES[i], "special": False}} for i in EVERY], done=None
    )
