"""`langchain-logprobs serve`: the page on this machine, from a file, a backend, or what apps send to it."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from langchain_logprobs.cli.problems import CannotShowError
from langchain_logprobs.cli.traces import SOURCE_HELP
from langchain_logprobs.view.model import SpanData
from langchain_logprobs.view.page.receiver import Received, otlp_server
from langchain_logprobs.view.page.server import HOST, LocalServer, Spans, page_server
from langchain_logprobs.view.sources.download import UnreachableError
from langchain_logprobs.view.sources.problems import SourceError
from langchain_logprobs.view.sources.read import read_source

PORT = 8899
OTLP_PORT = 4318


def add_to(commands: Any) -> None:
    """Add the command's words to the parser's commands."""
    serve = commands.add_parser(
        "serve",
        help="show the traces of a file or a backend in the browser, or receive them itself",
        description=f"Serve the heat map of traces at http://{HOST}:{PORT}/, and each trace's at /trace/ID.",
    )
    serve.add_argument("source", metavar="SOURCE", nargs="?", help=f"{SOURCE_HELP}; not needed with --otlp")
    serve.add_argument("--port", type=_port, default=PORT, metavar="N", help=f"of the page (default: {PORT})")
    serve.add_argument(
        "--otlp",
        type=_port,
        nargs="?",
        const=OTLP_PORT,
        metavar="N",
        help=f"also receive traces by OTLP/HTTP on this port (default: {OTLP_PORT}); they are kept while it runs",
    )
    serve.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl-C.

    Raises:
        CannotShowError: There is nothing to serve, or a port is taken.
    """
    if options.source is None and options.otlp is None:
        raise CannotShowError(
            "name what to show: a file, the address of a backend, or --otlp to receive traces.\n"
            "For example:  langchain-logprobs serve http://localhost:16686"
        )
    source = None if options.source is None else _Source(options.source)
    received = None if options.otlp is None else Received()
    with ExitStack() as bound:
        servers = [
            bound.enter_context(_bound(options.port, "--port", lambda n: page_server(n, _spans(source, received))))
        ]
        if received is not None:
            kept = received
            servers.append(bound.enter_context(_bound(options.otlp, "--otlp", lambda n: otlp_server(n, kept, _say))))
        for server in servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        _say(f"the traces are at http://{HOST}:{servers[0].server_port}/ (Ctrl-C ends this)")
        if received is not None:
            _say(f"apps send to it with OTEL_EXPORTER_OTLP_ENDPOINT=http://{HOST}:{servers[1].server_port}")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stderr.write("\n")
        for server in servers:
            server.shutdown()


class _Source:
    """A source that is read again when it may have changed: a file when it did, a backend for each page."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._file = None if "://" in where or where == "-" else Path(where)
        self._stamp: object = None
        self._kept: list[SpanData] | None = None
        self._lock = threading.Lock()
        try:
            self.spans(None)
        except UnreachableError as error:  # it may be started later
            _say(str(error))
        except SourceError as error:
            raise CannotShowError(str(error)) from error
        except OSError as error:
            raise CannotShowError(f"cannot read {where}: {error.strerror}.") from error

    def spans(self, trace_id: str | None) -> list[SpanData]:
        if "://" in self._where:
            return read_source(self._where, trace_id)
        with self._lock:
            stamp = None
            if self._file is not None:
                stat = self._file.stat()
                stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if self._kept is None or stamp != self._stamp:
                self._kept, self._stamp = read_source(self._where), stamp
            kept = self._kept
        return kept if trace_id is None else [span for span in kept if span.trace_id == trace_id.zfill(32)]


def _spans(source: _Source | None, received: Received | None) -> Spans:
    def spans(trace_id: str | None) -> list[SpanData]:
        found = [] if received is None else received.spans(trace_id)
        if source is None or (found and trace_id is not None):
            return found
        return source.spans(trace_id) + found

    return spans


def _bound(port: int, option: str, make: Callable[[int], LocalServer]) -> LocalServer:
    try:
        return make(port)
    except OSError as error:
        raise CannotShowError(
            f"port {port} cannot be used: {error.strerror}.\nName another one:  {option} {port + 1 if port else 0}"
        ) from error


def _say(sentence: str) -> None:
    sys.stderr.write(f"langchain-logprobs: {sentence}\n")
    sys.stderr.flush()


def _port(word: str) -> int:
    if not word.isascii() or not word.isdigit() or int(word) > 65535:
        raise argparse.ArgumentTypeError(f"{word!r} is not a port (0 to 65535)")
    return int(word)
