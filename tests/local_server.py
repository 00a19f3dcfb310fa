"""What the tests' HTTP servers share: a threaded server on 127.0.0.1, on a port of its own, for as long as a block."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class LocalServer:
    """The base of a server. Use it as a context manager; `url` is its address."""

    def __init__(self, handler: type[ChunkedHandler]) -> None:
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class ChunkedHandler(BaseHTTPRequestHandler):
    """Answers in chunks, so that each piece reaches the client when it is written, and a cut is seen as one."""

    protocol_version = "HTTP/1.1"

    def read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def start_chunks(self, status: int, content_type: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        # SDKs pool their connections, some for the whole process, and a test that runs an event loop of its own
        # would find one that belongs to a closed loop.
        self.send_header("Connection", "close")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def write_chunk(self, piece: bytes) -> None:
        """Write a piece; the empty one ends the answer."""
        self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # an answer that hangs must not hang the test run
    block_on_close = False
    request_queue_size = 256  # connections that wait: some tests make a hundred calls at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that go away and servers that die are what many tests are about."""
