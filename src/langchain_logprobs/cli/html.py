"""`langchain-logprobs html`: the traces of a source as one web page in one file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from langchain_logprobs.cli.problems import CannotShowError
from langchain_logprobs.cli.traces import SOURCE_HELP, spans_of
from langchain_logprobs.view.model import read_traces
from langchain_logprobs.view.page.build import page_html
from langchain_logprobs.view.page.data import page_data


def add_to(commands: Any) -> None:
    """Add the command's words to the parser's commands."""
    html = commands.add_parser(
        "html",
        help="write the traces of a file or a backend as one web page",
        description="Write the heat map of traces as one web page that needs nothing but itself: for a ticket, a mail.",
    )
    html.add_argument("source", metavar="SOURCE", help=SOURCE_HELP)
    html.add_argument("-o", "--output", metavar="FILE", help="where to write the page; by default standard output")
    html.add_argument("--trace", metavar="ID", help="only the trace with this id, or with an id that starts so")
    html.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write what the options say.

    Raises:
        CannotShowError: There is nothing to write, or it cannot be written there.
    """
    if options.output is None and sys.stdout.isatty():
        raise CannotShowError("a page is no use in a terminal: name a file for it, e.g. with  -o page.html")
    traces = read_traces(spans_of(options.source, options.trace))
    title = f"Token confidence of trace {traces[0].trace_id[:8]}" if len(traces) == 1 else "Token confidence"
    page = page_html(page_data(traces), title).encode()
    if options.output is None:
        sys.stdout.buffer.write(page)
        return
    try:
        Path(options.output).write_bytes(page)
    except OSError as error:
        raise CannotShowError(f"cannot write {options.output}: {error.strerror}.") from error
