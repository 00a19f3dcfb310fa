"""`langchain-logprobs compare`: two sources side by side, such as two models, two prompts or two days."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

from langchain_logprobs.cli.output import add_output, form_of, write
from langchain_logprobs.cli.problems import CannotShowError
from langchain_logprobs.cli.traces import SOURCE_HELP, spans_of
from langchain_logprobs.tables.comparison import Comparison

_PACKAGES = ("scipy", "numpy", "rich")


def add_to(commands: Any) -> None:
    """Add the command's words to the parser's commands."""
    parser = commands.add_parser(
        "compare",
        help="set the confidences of two files or backends side by side",
        description="Compare how sure the model was in two sources: two models, two prompts, two days. Inputs that are "
        "on both sides are compared one by one, by the recorded prompts, by the conversation, or by --by; where none "
        "is, the drift of each value's confidence is told.",
    )
    parser.add_argument("a", metavar="A", help=SOURCE_HELP)
    parser.add_argument("b", metavar="B", help="the other")
    parser.add_argument(
        "--by", metavar="ATTRIBUTE", help="the span attribute that tells an input, of the call or of a span above it"
    )
    parser.add_argument("--no-pairs", action="store_true", help="compare them as two crowds even where inputs pair")
    add_output(parser, ("text", "json", "html"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Compare as the options say.

    Raises:
        CannotShowError: There is nothing to compare, a package is missing, or the output cannot be written.
    """
    if options.a == options.b == "-":
        raise CannotShowError("A and B cannot both be standard input.")
    sources = spans_of(options.a, None), spans_of(options.b, None)
    try:
        from langchain_logprobs.tables.side_by_side import compare

        found = compare(
            *sources, by=options.by, pairs=not options.no_pairs, labels=(_name(options.a), _name(options.b))
        )
        if form_of(options) == "text" and options.output is None:
            _print(found)
            return
        write(options, {"text": lambda: _text(found), "json": lambda: _json(found), "html": found._repr_html_})
    except ValueError as error:
        raise CannotShowError(str(error)) from error
    except ImportError as error:
        cause = error.__cause__ if isinstance(error.__cause__, ModuleNotFoundError) else error
        if (getattr(cause, "name", None) or "").partition(".")[0] not in _PACKAGES:
            raise
        raise CannotShowError(
            f"langchain-logprobs compare needs the package {cause.name}, which this Python does not have.\n"
            'Install what it needs with:  pip install "langchain-logprobs[compare]"'
        ) from error


def _print(found: Comparison) -> None:
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    Console(highlight=False).print(found)


def _text(found: Comparison) -> str:
    from rich.console import Console

    console = Console(file=io.StringIO(), width=120, highlight=False)
    with console.capture() as captured:
        console.print(found)
    return captured.get()


def _json(found: Comparison) -> str:
    return json.dumps(found.to_dict(), ensure_ascii=False, indent=1) + "\n"


def _name(source: str) -> str:
    return source if "://" in source or source == "-" else Path(source).name
