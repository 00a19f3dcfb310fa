"""The command `langchain-logprobs`: its words, and which module does each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from langchain_logprobs._version import __version__
from langchain_logprobs.cli import annotate, calibrate, compare, doctor, html, jaeger_ui, serve, table, view
from langchain_logprobs.cli.problems import CannotShowError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: The words after the command's name; None for those of this process.

    Returns:
        The exit code: 0, or 1 where a file could not be shown, or what the command says. Wrong arguments end the
        process with 2.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except CannotShowError as reason:
        sys.stderr.write(f"langchain-logprobs: {reason}\n")
        return 1
    except BrokenPipeError:  # the reader, `head` or a pager, has seen enough
        sys.stderr.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="langchain-logprobs",
        description="See where a language model was unsure, in the traces of an app.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (view, html, serve, jaeger_ui, table, compare, annotate, calibrate, doctor):
        command.add_to(commands)
    return parser
