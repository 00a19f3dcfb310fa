"""Tempo: its API answers OTLP. Its pages are Grafana's, which show no trace by themselves."""

from __future__ import annotations

import re

from langchain_logprobs.view.model import SpanData
from langchain_logprobs.view.sources import otlp_json
from langchain_logprobs.view.sources.download import NotFoundError, get_json
from langchain_logprobs.view.sources.problems import SourceError

NAME = "Tempo"

_RECENT = 20
_GRAFANA = re.compile(r".*/(?:explore|a/grafana-[a-z-]+|d/[^/]+|goto)(?:/.*)?")


def page(path: str) -> tuple[str, str | None] | None:
    """Say what to do with an address of Grafana; Tempo itself has no pages.

    Raises:
        SourceError: It is one.
    """
    if _GRAFANA.fullmatch(path):
        raise SourceError(
            "That is a page of Grafana, which asks its backend with its own login.\n"
            "Name the trace in Tempo's API instead: http://TEMPO-HOST:3200/api/traces/TRACE-ID. Or take Inspector > "
            "JSON in Grafana, save the trace, and name that file."
        )
    return None


def is_at(base: str) -> bool:
    """Whether Tempo answers at an address."""
    try:
        return "traces" in get_json(f"{base}/api/search?limit=1")
    except NotFoundError:
        return False


def trace(base: str, trace_id: str) -> list[SpanData]:
    """Ask for a trace."""
    return list(otlp_json.spans_of(get_json(f"{base}/api/traces/{trace_id}")))


def recent(base: str) -> list[SpanData]:
    """Ask for the latest traces, one by one: the search gives only their names."""
    found = get_json(f"{base}/api/search?limit={_RECENT}").get("traces") or ()
    return [span for each in found for span in trace(base, str(each["traceID"]))]
