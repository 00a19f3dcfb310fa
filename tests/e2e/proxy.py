"""A recording reverse proxy between the client and a model server: what HTTP carried, seen from underneath.

It forwards each request and passes the answer on as it comes, keeping a copy. `Exchange.entries` reads the logprobs out
of that copy with nothing but `json`, so that a test compares what the handler put on a span with what was on the wire,
and not with what a library in between made of it.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import threading
from collections.abc import Generator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from tests.local_server import ChunkedHandler, LocalServer


class Exchange:
    """One request and as much of its answer as has been passed on."""

    def __init__(self, path: str, request: Any) -> None:
        self.path = path
        self.request = request
        self.status: int | None = None
        self.content_type = ""
        self.body = b""

    @property
    def documents(self) -> list[Any]:
        """The answer: the one JSON document, or the data of each server-sent event that arrived whole."""
        if not self.content_type.startswith("text/event-stream"):
            return [json.loads(self.body)]
        events = self.body.split(b"\n\n")[:-1]  # the last piece is empty, or an event cut short
        data = [event.removeprefix(b"data: ") for event in events if event.startswith(b"data: ")]
        return [json.loads(each) for each in data if each != b"[DONE]"]

    def entries(self, choice: int = 0) -> list[dict[str, Any]]:
        """The logprob entries of one choice, in order."""
        return [
            entry
            for document in self.documents
            for each in document.get("choices", ())
            if each["index"] == choice and each.get("logprobs")
            for entry in each["logprobs"]["content"] or ()
        ]

    @property
    def finished(self) -> bool:
        """Whether the server said why it stopped, which it does at the end of an answer."""
        return any(each.get("finish_reason") for document in self.documents for each in document.get("choices", ()))

    def pairs(self, choice: int = 0) -> list[tuple[str, float]]:
        """The tokens of one choice with their logprobs."""
        return [(entry["token"], entry["logprob"]) for entry in self.entries(choice)]

    def measured(self, choice: int = 0) -> list[tuple[str, float]]:
        """Those that the text consists of: llama.cpp lists the end mark too, as a last token that spells nothing."""
        carried = self.pairs(choice)
        return carried[:-1] if carried and not carried[-1][0] else carried

    def tokens(self, choice: int = 0) -> list[str]:
        """The tokens of one choice."""
        return [token for token, _ in self.pairs(choice)]

    def values(self, choice: int = 0) -> list[float]:
        """The logprobs of one choice."""
        return [value for _, value in self.pairs(choice)]


class RecordingProxy(LocalServer):
    """The proxy. Use it as a context manager; `url` stands for the server's, `exchanges` is what went through."""

    def __init__(self, upstream: str) -> None:
        super().__init__(_handler(self))
        self.exchanges: list[Exchange] = []
        parts = urlsplit(upstream)
        assert parts.hostname is not None
        assert parts.port is not None
        self._upstream = (parts.hostname, parts.port)

    def pass_on(
        self, exchange: Exchange, method: str, headers: dict[str, str], body: bytes, client: socket.socket
    ) -> Generator[bytes, None, None]:
        """Ask the server; the answer's pieces, as they come. `exchange` has status and type after the first `next`."""
        connection = http.client.HTTPConnection(*self._upstream, timeout=300)
        done = threading.Event()
        try:
            connection.request(method, exchange.path, body, headers)
            threading.Thread(target=_hang_up, args=(client, connection.sock, done), daemon=True).start()
            response = connection.getresponse()
            exchange.status = response.status
            exchange.content_type = response.headers.get("Content-Type", "")
            yield b""
            while piece := response.read1(65536):
                exchange.body += piece
                yield piece
        finally:
            done.set()
            connection.close()


def _hang_up(client: socket.socket, server: socket.socket, done: threading.Event) -> None:
    """Leave the server when the client leaves us, also while there is nothing to pass on: it works for nobody then."""
    while not done.wait(0.05):
        with suppress(OSError, ValueError):  # ValueError: closed meanwhile
            gone = select.select([client], [], [], 0)[0] and not client.recv(1, socket.MSG_PEEK)
            if gone:
                server.shutdown(socket.SHUT_RDWR)
                return


def _handler(proxy: RecordingProxy) -> type[ChunkedHandler]:
    class Handler(ChunkedHandler):
        def do_POST(self) -> None:
            body = self.read_body()
            exchange = Exchange(self.path, json.loads(body) if body else None)
            proxy.exchanges.append(exchange)
            headers = {"Content-Type": "application/json", "Connection": "close"}
            pieces = proxy.pass_on(exchange, self.command, headers, body, self.connection)
            try:
                next(pieces)
                self.start_chunks(exchange.status or 502, exchange.content_type)
                for piece in pieces:
                    self.write_chunk(piece)
                self.write_chunk(b"")
            except (OSError, http.client.HTTPException):
                # The server died or the client went away: the other side sees a connection that ends too early.
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
            finally:
                pieces.close()

        do_GET = do_POST

    return Handler
