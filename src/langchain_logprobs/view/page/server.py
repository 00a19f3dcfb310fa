"""The page on this machine: a list of traces, and a page for each. Nobody else is asked or answered.

A web site that a person visits could make its own name point at this machine and read the pages here; so a request is
answered only if it names this machine.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

from langchain_logprobs.view.model import SpanData, read_traces
from langchain_logprobs.view.page.build import page_html, policy
from langchain_logprobs.view.page.data import list_data, page_data
from langchain_logprobs.view.sources.download import NotFoundError
from langchain_logprobs.view.sources.problems import SourceError

HOST = "127.0.0.1"

_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_TRACE = re.compile(r"/trace/([0-9a-fA-F]{1,32})/?")

Spans = Callable[[str | None], list[SpanData]]
"""Returns the spans of one trace, or with None those of the latest traces; raises SourceError or OSError."""


class LocalServer(ThreadingHTTPServer):
    """A server on 127.0.0.1 whose threads end with the program."""

    daemon_threads = True
    allow_reuse_address: bool = os.name != "nt"  # there it would let two programs share the port

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has gone; anything else is a fault of ours, and said in full."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class LocalHandler(BaseHTTPRequestHandler):
    """Answers only requests that name this machine, and logs none."""

    server_version = "langchain-logprobs"
    sys_version = ""
    timeout: ClassVar[float | None] = 60  # seconds that a connection may be silent

    def names_this_machine(self) -> bool:
        """Whether the request is for this machine by name; answers it otherwise."""
        try:
            name = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            name = None
        if name in _OWN_NAMES:
            return True
        self.answer(HTTPStatus.FORBIDDEN, b"This server answers only at http://127.0.0.1 and http://localhost.\n")
        return False

    def answer(
        self,
        status: HTTPStatus,
        body: bytes,
        content_type: str = "text/plain; charset=utf-8",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send an answer; to HEAD without its body."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is the person's."""


def page_server(port: int, spans: Spans) -> LocalServer:
    """Return a server of the page, not yet running.

    Args:
        port: Of 127.0.0.1; 0 for a free one, which `server_port` then tells.
        spans: Where the spans come from, asked anew for each page.

    Raises:
        OSError: The port is taken.
    """

    class Handler(LocalHandler):
        def do_GET(self) -> None:
            if self.names_this_machine():
                status, page = _page(urlsplit(self.path).path, spans)
                self.answer(status, page.encode(), "text/html; charset=utf-8", _page_headers())

        do_HEAD = do_GET

    return LocalServer((HOST, port), Handler)


def _page_headers() -> dict[str, str]:
    return {
        "Content-Security-Policy": f"{policy()}; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def _page(path: str, spans: Spans) -> tuple[HTTPStatus, str]:
    match = _TRACE.fullmatch(path)
    try:
        if path == "/":
            return HTTPStatus.OK, page_html(list_data(read_traces(spans(None))), "Token confidence")
        if match is None:
            return _problem(HTTPStatus.NOT_FOUND, "There is no such page. A trace is at /trace/ID.")
        traces = read_traces(spans(match[1].lower()))
        if not traces:
            return _problem(HTTPStatus.NOT_FOUND, f"There is no trace {match[1].lower()} (any more).")
        return HTTPStatus.OK, page_html({**page_data(traces), "home": "/"}, "Token confidence")
    except NotFoundError as error:
        return _problem(HTTPStatus.NOT_FOUND, str(error))
    except (SourceError, OSError) as error:
        return _problem(HTTPStatus.BAD_GATEWAY, str(error))


def _problem(status: HTTPStatus, sentence: str) -> tuple[HTTPStatus, str]:
    return status, page_html({"traces": [], "problem": sentence, "home": "/"}, "Token confidence")
