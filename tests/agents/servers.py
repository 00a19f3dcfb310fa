"""A local server in OpenAI's protocol whose answers are scripted, tool calls with their logprobs among them."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from langchain_openai import ChatOpenAI

from tests.providers.wire import Body, Request, WireServer, json_body
from tests.support import completion, entry

Said = list[tuple[str, float]]
"""Tokens with their probabilities; a third item of a tuple is what the model nearly said."""


def entries(*said: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Tokens in OpenAI's form: text, probability and, where there is one, what was nearly said with its probability."""
    return [
        entry(text, math.log(probability), *((other, math.log(share)) for other, share in rest))
        for text, probability, *rest in said
    ]


def text(*said: tuple[Any, ...], model: str = "small", logprobs: bool = True) -> dict[str, Any]:
    """An answer in words."""
    made = {**completion(entries(*said)), "model": model}
    if not logprobs:
        made["choices"][0]["logprobs"] = None
    return made


def call(name: str, args: Mapping[str, Any], *said: tuple[Any, ...], model: str = "small") -> dict[str, Any]:
    """A tool call whose tokens spell its arguments, as llama.cpp and vLLM do; without tokens, as OpenAI does."""
    return calls((name, args, said), model=model)


def calls(*each: tuple[str, Mapping[str, Any], tuple[tuple[Any, ...], ...]], model: str = "small") -> dict[str, Any]:
    """Several tool calls in one answer."""
    tool_calls = [
        {"id": f"call-{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(args)}}
        for at, (name, args, _) in enumerate(each)
    ]
    spelled = [token for _, _, said in each for token in entries(*said)]
    logprobs = {"content": spelled, "refusal": None} if spelled else None
    message = {"role": "assistant", "content": None, "tool_calls": tool_calls}
    made = completion(spelled, "", message=message, finish_reason="tool_calls", logprobs=logprobs)
    return {**made, "model": model}


def streamed(answer: Mapping[str, Any]) -> Iterator[bytes]:
    """The same answer as server-sent events."""
    choice = answer["choices"][0]
    base = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": answer["model"]}
    found = (choice.get("logprobs") or {}).get("content") or []
    deltas: list[tuple[dict[str, Any], Any]] = [({"role": "assistant", "content": ""}, None)]
    said, tool_calls = choice["message"].get("content"), choice["message"].get("tool_calls") or ()
    for at, tool_call in enumerate(tool_calls):
        start = {**tool_call["function"], "arguments": "" if found else tool_call["function"]["arguments"]}
        deltas.append(({"tool_calls": [{"index": at, **tool_call, "function": start}]}, None))
    for each in found:  # of several calls, all tokens are those of the first: no test streams these
        spelled = {"tool_calls": [{"index": 0, "function": {"arguments": each["token"]}}]}
        deltas.append((spelled if tool_calls else {"content": each["token"]}, {"content": [each], "refusal": None}))
    if said and not found:
        deltas.append(({"content": said}, None))
    for delta, logprobs in deltas:
        piece = {**base, "choices": [{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": None}]}
        yield f"data: {json.dumps(piece)}\n\n".encode()
    end = {**base, "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": choice["finish_reason"]}]}
    yield f"data: {json.dumps(end)}\n\ndata: [DONE]\n\n".encode()


class Script:
    """The answers of a server in order, the last one again and again; and the requests that came."""

    def __init__(self, url: str, answers: list[dict[str, Any]]) -> None:
        self.url = url
        self.answers = answers
        self.requests: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Body:
        with self._lock:  # the server answers each request in a thread of its own
            at = min(len(self.requests), len(self.answers) - 1)
            self.requests.append(request.json)
        answer = self.answers[at]
        if request.json.get("stream"):
            return Body(tuple(streamed(answer)), content_type="text/event-stream")
        return json_body(answer)

    def model(self, **keywords: Any) -> ChatOpenAI:
        settings = {"base_url": f"{self.url}/v1", "api_key": "x", "model": "m", "logprobs": True, "max_retries": 0}
        return ChatOpenAI(**{**settings, **keywords})


@contextmanager
def scripted(*answers: dict[str, Any]) -> Iterator[Script]:
    """Serve these answers."""
    with WireServer() as server:
        script = Script(server.url, list(answers))
        server.answer("*", script.answer)
        yield script
