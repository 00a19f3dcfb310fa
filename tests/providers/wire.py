"""A local stand-in for a model provider: a threaded HTTP server on 127.0.0.1 that answers with scripted bodies.

The tests in this folder run the real LangChain integrations with their real SDKs, and only the far end of the wire is
ours. A script says what each path answers, and the server keeps every request:

    with WireServer() as wire:
        wire.answer("/v1/chat/completions", json_body({"choices": [...]}))
        model = ChatOpenAI(base_url=wire.url + "/v1", api_key="unused")
        model.invoke("hi")
        assert wire.requests[-1].json["logprobs"] is True

A path given to `answer` may hold `*` and `?` (as in fnmatch), because some SDKs put the model or the method into the
path. Answers given together are served in turn, and the last one is served again from then on:

    wire.answer("/v1/responses", json_body(first), json_body(second))

An answer may also be a function of the request, for protocols where one path serves both plain and streamed calls:

    wire.answer("/v1/responses", lambda request: sse(events) if request.json.get("stream") else json_body(whole))

A `Body` holds its pieces, so a stream can pause, hang or break between two of them (`pause`, `cut`).
"""

from __future__ import annotations

import fnmatch
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.local_server import ChunkedHandler, LocalServer


@dataclass(frozen=True)
class Request:
    """One request as it came over the wire."""

    method: str
    path: str  # without the query
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        """The body read as JSON; None for an empty body."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Body:
    """One scripted answer.

    Attributes:
        pieces: Each is written and flushed on its own.
        content_type: The Content-Type header.
        status: The HTTP status.
        pause: Seconds to wait before each piece but the first.
        cut: Close the connection after the pieces without ending the body properly, as a server that dies does.
        headers: Further headers.
    """

    pieces: tuple[bytes, ...]
    content_type: str = "application/json"
    status: int = 200
    pause: float = 0.0
    cut: bool = False
    headers: dict[str, str] = field(default_factory=dict)


Answer = Body | Callable[[Request], Body]


def json_body(value: Any, *, status: int = 200) -> Body:
    """One JSON document."""
    return Body((json.dumps(value).encode(),), status=status)


def sse(events: Iterable[Any], *, named: bool = False, done: str | None = "[DONE]", **options: Any) -> Body:
    """Server-sent events, one piece each.

    Args:
        events: What goes into each event's `data:`, as JSON (a str goes in as it is).
        named: Also write an `event:` line with the event's own "type" (OpenAI's Responses API, Anthropic, Cohere).
        done: The data of the last event; None for protocols that just end.
        **options: Further fields of `Body`.
    """
    pieces = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event)
        name = f"event: {event['type']}\n" if named else ""
        pieces.append(f"{name}data: {data}\n\n".encode())
    if done is not None:
        pieces.append(f"data: {done}\n\n".encode())
    return Body(tuple(pieces), content_type="text/event-stream", **options)


def ndjson(objects: Iterable[Any], **options: Any) -> Body:
    """JSON documents one a line (Ollama), one piece each."""
    pieces = tuple(json.dumps(each).encode() + b"\n" for each in objects)
    return Body(pieces, content_type="application/x-ndjson", **options)


class WireServer(LocalServer):
    """The server. Use it as a context manager; `url` is its address, `requests` everything that came in."""

    def __init__(self) -> None:
        super().__init__(_handler(self))
        self.requests: list[Request] = []
        self._answers: list[tuple[str, list[Answer]]] = []
        self._lock = threading.Lock()

    def answer(self, path: str, *answers: Answer) -> None:
        """Serve these answers in turn, the last one again and again, to requests for a path (or pattern).

        What is said last about a path counts, so a test can replace an answer.
        """
        if not answers:
            raise ValueError("no answer given")
        with self._lock:
            self._answers.insert(0, (path, list(answers)))

    def _answer_to(self, request: Request) -> Body:
        with self._lock:
            self.requests.append(request)
            for pattern, answers in self._answers:
                if fnmatch.fnmatchcase(request.path, pattern):
                    chosen = answers.pop(0) if len(answers) > 1 else answers[0]
                    break
            else:
                # 418 and not 404 or 5xx: no SDK retries it, and nobody takes it for the provider's own answer.
                return json_body({"error": f"the test scripted nothing for {request.path}"}, status=418)
        return chosen(request) if callable(chosen) else chosen


def _handler(wire: WireServer) -> type[ChunkedHandler]:
    class Handler(ChunkedHandler):
        def do_POST(self) -> None:
            split = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = wire._answer_to(Request(self.command, split.path, split.query, headers, self.read_body()))
            self.start_chunks(answer.status, answer.content_type, answer.headers)
            for index, piece in enumerate(answer.pieces):
                if answer.pause and index:
                    time.sleep(answer.pause)
                self.write_chunk(piece)
            if not answer.cut:
                self.write_chunk(b"")

        do_GET = do_PATCH = do_DELETE = do_POST

    return Handler
