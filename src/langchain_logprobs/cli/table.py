"""`langchain-logprobs table`: the model calls of a source as CSV or JSON, or their values, or their stretches."""

from __future__ import annotations

import argparse
from typing import Any

from langchain_logprobs.cli.output import add_output, write
from langchain_logprobs.cli.traces import SOURCE_HELP, spans_of
from langchain_logprobs.tables.columns import COLUMNS
from langchain_logprobs.tables.make import table


def add_to(commands: Any) -> None:
    """Add the command's words to the parser's commands."""
    parser = commands.add_parser(
        "table",
        help="write the model calls of a file or a backend as a table",
        description="Write the model calls of traces as a table, one row each; or the values of their structured "
        "answers and tool calls, or their low-confidence stretches. What is not known is an empty cell.",
        epilog="In CSV, a text that a spreadsheet would take for a formula gets an apostrophe in front.",
    )
    parser.add_argument("source", metavar="SOURCE", help=SOURCE_HELP)
    parser.add_argument("--of", choices=tuple(COLUMNS), default="calls", help="what the rows are (calls)")
    parser.add_argument("--trace", metavar="ID", help="only the trace with this id, or with an id that starts so")
    add_output(parser, ("csv", "json"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the table that the options ask for.

    Raises:
        CannotShowError: There is nothing to read, or the table cannot be written there.
    """
    made = table(spans_of(options.source, options.trace), options.of)
    write(options, {"csv": made.to_csv, "json": made.to_json})
