"""`langchain-logprobs view`: the traces of a source, drawn in the terminal."""

from __future__ import annotations

import argparse
import io
import sys
from typing import Any

from langchain_logprobs.cli.problems import CannotShowError
from langchain_logprobs.cli.traces import SOURCE_HELP, spans_of

_NO_RICH = (
    "langchain-logprobs view needs the package rich, which this Python does not have.\n"
    'Install it with:  pip install "langchain-logprobs[view]"'
)


def add_to(commands: Any) -> None:
    """Add the command's words to the parser's commands."""
    view = commands.add_parser(
        "view",
        help="draw the traces of a file or a backend in the terminal",
        description="Draw traces as trees, the answers shaded by token probability.",
    )
    view.add_argument("file", metavar="SOURCE", help=SOURCE_HELP)
    view.add_argument("--trace", metavar="ID", help="only the trace with this id, or with an id that starts so")
    view.add_argument("--no-color", action="store_true", help="no colours (as with the variable NO_COLOR)")
    view.add_argument("--light", action="store_true", help="colours for a light screen")
    view.add_argument("--width", type=_positive, metavar="N", help="columns; by default the terminal's")
    view.add_argument(
        "--tokens", type=_natural, metavar="N", help="tokens of an answer to draw; 0 for all (default: 400)"
    )
    view.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Draw what the options say.

    Raises:
        CannotShowError: There is nothing to draw, or nothing to draw it with.
    """
    try:
        from rich.console import Console

        from langchain_logprobs.view.terminal.trace import MAX_TOKENS, print_traces
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "rich":
            raise
        raise CannotShowError(_NO_RICH) from error
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Not every terminal can encode every token; a question mark is better than no trace.
        sys.stdout.reconfigure(errors="replace")
    print_traces(
        spans_of(options.file, options.trace),
        Console(width=options.width, no_color=options.no_color or None),
        max_tokens=MAX_TOKENS if options.tokens is None else options.tokens,
        theme="light" if options.light else None,
    )


def _positive(word: str) -> int:
    number = _natural(word)
    if number == 0:
        raise argparse.ArgumentTypeError("0 is not at least 1")
    return number


def _natural(word: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number")
    return int(word)
