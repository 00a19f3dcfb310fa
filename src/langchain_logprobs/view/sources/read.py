"""Opening whatever a person names: a file, standard input, or an address of a trace backend."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from langchain_logprobs.view.model import SpanData
from langchain_logprobs.view.sources import jaeger, otlp_json, phoenix, tempo, zipkin
from langchain_logprobs.view.sources.documents import documents, not_readable
from langchain_logprobs.view.sources.download import NotFoundError, get, without_password
from langchain_logprobs.view.sources.problems import SourceError


class Backend(Protocol):
    """What the module of a backend can do."""

    @property
    def NAME(self) -> str:
        """Its name."""

    def page(self, path: str) -> tuple[str, str | None] | None:
        """Return the base of a page's path and the trace it shows; None for a path that is no page of it."""

    def is_at(self, base: str) -> bool:
        """Whether it answers at an address."""

    def trace(self, base: str, trace_id: str) -> list[SpanData]:
        """Ask for a trace."""

    def recent(self, base: str) -> list[SpanData]:
        """Ask for the latest traces."""


_BACKENDS: tuple[Backend, ...] = (zipkin, phoenix, jaeger, tempo)
_DOCUMENTS = (jaeger, phoenix, zipkin)


def read_source(where: str, trace_id: str | None = None) -> list[SpanData]:
    """Read the spans that a person means.

    Args:
        where: A file (also gzipped), `-` for standard input, or an address: of a page of Jaeger, Phoenix or Zipkin as
            the browser shows it, of such a backend as a whole, or of one of their APIs or Tempo's.
        trace_id: Only this trace; the start of an id is enough where the source is not a backend.

    Returns:
        The spans, in no particular order; none where the source has none.

    Raises:
        SourceError: It cannot be read; the message says why, and what to do instead.
        OSError: The file cannot be read.

    Example:
        >>> spans = read_source("http://localhost:16686/trace/3412fdcb2bc22030451368aa65f4ec18")  # doctest: +SKIP
    """
    trace_id = trace_id and trace_id.lower()
    if "://" in where:
        spans = _from_address(where, trace_id)
    else:
        raw = sys.stdin.buffer.read() if where == "-" else Path(where).read_bytes()
        spans = list(spans_in(raw, "standard input" if where == "-" else where))
    if trace_id is None:
        return spans
    return [span for span in spans if span.trace_id.startswith(trace_id) or span.trace_id == trace_id.zfill(32)]


def spans_in(raw: bytes, name: str) -> Iterator[SpanData]:
    """Yield the spans in a file's bytes, of whatever kind it is.

    Raises:
        SourceError: It is of none; the message says so by `name`.
    """
    for document, line in documents(raw, name):
        try:
            yield from _spans_of(document)
        except SourceError as error:
            raise SourceError(f"{name}, line {line}: {error}") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise not_readable(name, line, error) from error


def _spans_of(document: Any) -> Iterator[SpanData]:
    if otlp_json.is_otlp(document):
        yield from otlp_json.spans_of(document)
        return
    for kind in _DOCUMENTS:
        if kind.is_document(document):
            yield from kind.spans_of(document)
            return
    if document == []:
        return
    if isinstance(document, dict) and "traces" in document:
        raise SourceError("a list of search results, which holds no spans.\nOpen one of the traces in it.")
    raise TypeError("none of the documents that are known here")


def _from_address(where: str, trace_id: str | None) -> list[SpanData]:
    try:
        parts = urlsplit(where)
        known = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError as error:
        raise SourceError(f"{without_password(where)} is not an address: {error}.") from error
    if not known:
        raise SourceError(
            f"{without_password(where)} is not an address that can be asked.\n"
            "It takes http:// or https:// and a host; or the path of a file."
        )
    host = f"{parts.scheme}://{parts.netloc}"
    for backend in _BACKENDS:
        found = backend.page(parts.path)
        if found is not None:
            base, shown = found
            return _ask(backend, host + base, trace_id or shown, where)
    if parts.path.strip("/") in ("", "search", "monitor", "dependencies"):
        return _ask(_backend_at(host), host, trace_id, where)
    body, content_type = get(where)
    if "html" in content_type or body.lstrip()[:100].lower().startswith((b"<!doctype", b"<html")):
        raise SourceError(
            f"{without_password(where)} answered with a web page that is not known here.\n"
            "Paste the address of a trace in Jaeger (/trace/ID), Phoenix (/projects/.../traces/ID) or Zipkin "
            "(/zipkin/traces/ID), or of an API that answers JSON; or download the trace as JSON and name that file."
        )
    return list(spans_in(body, without_password(where)))


def _ask(backend: Backend, base: str, trace_id: str | None, where: str) -> list[SpanData]:
    try:
        return backend.recent(base) if trace_id is None else backend.trace(base, trace_id)
    except NotFoundError as error:
        what = "traces" if trace_id is None else f"trace {trace_id}"
        raise NotFoundError(
            f"{backend.NAME} at {without_password(base)} has no {what} (any more).\n({error.args[0].splitlines()[0]})"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceError(
            f"{without_password(where)} answered something that {backend.NAME} does not answer "
            f"({type(error).__name__}: {error}).\nDownload the trace as JSON and name that file."
        ) from error


def _backend_at(host: str) -> Backend:
    for backend in _BACKENDS:
        try:
            if backend.is_at(host):
                return backend
        except (TypeError, AttributeError):  # another backend, whose answer at this path has another form
            continue
    names = ", ".join(sorted(backend.NAME for backend in _BACKENDS))
    raise SourceError(
        f"{without_password(host)} is none of the backends that are known here ({names}).\n"
        "Download the trace there as JSON (OTLP, Jaeger's or Zipkin's form) and name that file."
    )
