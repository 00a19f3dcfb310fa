"""Truth's minor findings: the time of the first token, odd fences, JSON lines, end marks that are data, `detected`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI

from tests.providers import making
from tests.providers.wire import Body, WireServer
from tests.repros.calls import Token, told
from tests.support import Traced, chunks, entry


def slowly(*pieces: Any, pause: float = 0.15) -> Body:
    events = [f"data: {json.dumps(item)}\n\n".encode() for item in pieces]
    return Body((*events, b"data: [DONE]\n\n"), content_type="text/event-stream", pause=pause)


@pytest.mark.parametrize("path", ["stream", "astream"])
def test_the_first_token_comes_after_the_first_chunk(path: str) -> None:
    traced = Traced()
    role, *rest = chunks([entry("Hi", -0.1), entry("!", -0.2)])
    with WireServer() as wire:
        wire.answer("*", slowly(role, *rest))
        chat = ChatOpenAI(**{**making.openai_like(wire.url), "logprobs": True})
        if path == "stream":
            list(chat.stream("q", config=traced.config))
        else:

            async def consume() -> None:
                async for _ in chat.astream("q", config=traced.config):
                    pass

            asyncio.run(consume())
    said = traced.call.attributes or {}
    first_chunk = said["gen_ai.response.time_to_first_chunk"]
    first_token = said["logprobs.time_to_first_token"]
    assert isinstance(first_chunk, float)
    assert isinstance(first_token, float)
    assert first_token - first_chunk > 0.1


def test_without_a_stream_there_is_no_first_token() -> None:
    assert "time_to_first_token" not in told(AIMessage("Hi"), [("Hi", -0.1)])


JSON = '{"a": 1}'


@pytest.mark.parametrize(
    "text",
    [
        f"```\n{JSON}\n```",
        f"~~~json\n{JSON}\n~~~",
        f"\ufeff{JSON}",
        f"```JSON\n{JSON}\n```",
        f"````json\n{JSON}\n````",
        f"Here:\r\n```json5\r\n{JSON}\r\n```",
        f"ฉันตอบ:\n```\n\n  {JSON}\n```\nครับ",
        f"```json {JSON}```",
        f"~~~\n{JSON}",
        f"  {JSON}  ",
    ],
)
def test_the_handler_writes_fields_wherever_the_json_is_found(text: str) -> None:
    said = told(AIMessage(text), [(char, -0.01) for char in text])
    assert said["fields.paths"] == ("/a",)
    assert said["confidence.basis"] == "fields"


@pytest.mark.parametrize(
    ("text", "paths", "status"),
    [
        ('{"a":1}\n{"a":2}', ("/0/a", "/1/a"), "ok"),
        ('{"a":1}\n\n{"b":[2]}\n', ("/0/a", "/1/b/0"), "ok"),
        ('{"a":1}\r\n{"a":2}', ("/0/a", "/1/a"), "ok"),
        ('[1]\n[2]\n["é"]', ("/0/0", "/1/0", "/2/0"), "ok"),
        ('```jsonl\n{"a":1}\n{"a":2}\n```', ("/0/a", "/1/a"), "ok"),
        ('{"a":1}\n{"a":2', ("/0/a", "/1/a"), "truncated"),
        ("\n".join('{"a":1}' for _ in range(40)), tuple(f"/{number}/a" for number in range(40)), "ok"),
    ],
)
def test_json_lines_are_read_to_their_end(text: str, paths: tuple[str, ...], status: str) -> None:
    said = told(AIMessage(text), [(char, -0.01) for char in text])
    assert said["fields.paths"] == paths
    assert said["fields.status"] == status


@pytest.mark.parametrize(
    "text",
    [
        '{"note": "a </think> b", "n": 1}',
        '["</think>", 1]',
        '{"[/THINK]": "x", "n": " </thinking>"}',
        '\n {"a": {"b": "so </reasoning> it"}}\n',
        '"he said </think> and left"',
    ],
)
def test_an_end_mark_in_a_document_is_data(text: str) -> None:
    said = told(AIMessage(text), [(char, -0.01) for char in text])
    assert "reasoning.token.count" not in said
    assert said["token.count"] + text.count("\n") >= len(text) - 1


@pytest.mark.parametrize(
    ("tokens", "detected"),
    [
        ([("Hi", -0.1), ("\n", -4.0)], False),
        ([("a", -0.1), (" <", -4.0), (" b", -0.1)], False),
        ([("Hi", -0.1), (",", -4.0), (" you", -0.1)], False),
        ([("Hi", -0.1), (" you", -4.0)], True),
        ([("好", -0.1), ("。", -4.0)], False),
        ([("好", -4.0), ("。", -0.1)], True),
        ([("Hi", -0.1), ("\n", -9999.0)], True),
        ([('{"a"', -0.1), (":", -4.0), (" 1}", -0.1)], True),
    ],
)
def test_detected_and_the_stretches_say_the_same(tokens: list[Token], detected: bool) -> None:
    said = told(AIMessage("".join(token[0] for token in tokens)), tokens)
    assert said["low_confidence.detected"] is detected
    censored = bool(said.get("token.censored_count"))
    assert (said["low_confidence.stretch_count"] > 0 or censored) is detected


def test_an_exception_s_text_is_what_the_docs_say() -> None:
    traced = Traced()
    from tests.support import ScriptedModel

    with pytest.raises(RuntimeError):
        ScriptedModel(fail_after=0).invoke("a secret prompt", config=traced.config)
    (span,) = traced.named("chat")
    assert "secret" not in str(span.attributes) + str(span.status.description)
