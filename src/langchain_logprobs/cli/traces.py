"""The traces that the words of a command name, for every command that shows some."""

from __future__ import annotations

import re
from collections.abc import Sequence

from langchain_logprobs.cli.problems import CannotShowError
from langchain_logprobs.view.model import SpanData
from langchain_logprobs.view.sources.problems import SourceError
from langchain_logprobs.view.sources.read import read_source

_WHOLE_ID = re.compile(r"[0-9a-fA-F]{32}")

SOURCE_HELP = (
    "a file of OTLP JSON (also gzipped, or what Jaeger, Phoenix, Zipkin or Tempo gave for download); - for standard "
    "input; or an address: a trace's page as the browser shows it, the backend itself, or its API"
)


class NoSuchTraceError(CannotShowError):
    """A source holds traces, but not the one that was asked for."""


def spans_of_all(sources: Sequence[str], trace: str | None) -> list[SpanData]:
    """Return the spans of several sources; a trace that is asked for must be in one of them.

    Raises:
        CannotShowError: Of any of them there is nothing to show; the message says why, and what to do.
    """
    found: list[SpanData] = []
    missing = None
    for source in sources:
        try:
            found += spans_of(source, trace)
        except NoSuchTraceError as error:
            missing = error
    if missing is not None and not found:
        raise missing
    return found


def spans_of(source: str, trace: str | None) -> list[SpanData]:
    """Return the spans of a source.

    Args:
        source: As `read_source` takes it.
        trace: Only the trace with this id, or with an id that starts so.

    Raises:
        CannotShowError: There is nothing to show; the message says why, and what to do.
    """
    try:
        # A backend is asked for a whole id only; of a start, all that it has lately.
        spans = read_source(source, trace if trace is not None and _WHOLE_ID.fullmatch(trace) else None)
    except SourceError as error:
        raise CannotShowError(str(error)) from error
    except OSError as error:
        raise CannotShowError(
            f"cannot read {source}: {error.strerror}.\n"
            "It takes a file of OTLP JSON lines, such as traces/demo.jsonl, which `make demo` writes, or the address "
            "of a trace."
        ) from error
    if not spans:
        raise CannotShowError(
            f"{source} holds no spans.\n"
            "Was the tracer provider shut down (or flushed) before the program that wrote it ended?"
        )
    if trace is None:
        return spans
    chosen = [span for span in spans if span.trace_id.startswith(trace.lower())]
    if not chosen:
        ids = "\n".join(f"  {trace_id}" for trace_id in dict.fromkeys(span.trace_id for span in spans))
        raise NoSuchTraceError(f"{source} holds no trace with an id that starts with {trace!r}. It holds:\n{ids}")
    return chosen
