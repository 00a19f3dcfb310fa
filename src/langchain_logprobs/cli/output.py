"""Where a command writes what it made, and in which form: to a file or to standard output, as the options say."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from langchain_logprobs.cli.problems import CannotShowError


def add_output(parser: argparse.ArgumentParser, forms: Sequence[str]) -> None:
    """Add the options of a command that writes a file.

    Args:
        parser: The command's.
        forms: The forms that it can write; the first is that of a file whose name does not tell.
    """
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it; by default standard output")
    parser.add_argument(
        "--format", choices=tuple(forms), help=f"the form; by default as the file's name ends, else {forms[0]}"
    )
    parser.set_defaults(forms=tuple(forms))


def form_of(options: argparse.Namespace) -> str:
    """Return the form that the options ask for."""
    ending = Path(options.output or "").suffix.lower().removeprefix(".")
    chosen: str = options.format or (ending if ending in options.forms else options.forms[0])
    return chosen


def write(options: argparse.Namespace, forms: Mapping[str, Callable[[], str]]) -> None:
    """Write what the options ask for, as UTF-8 whatever the terminal's encoding, with its own ends of lines.

    Args:
        options: From a parser with the options of `add_output`.
        forms: What makes each form.

    Raises:
        CannotShowError: It cannot be written there.
    """
    raw = forms[form_of(options)]().encode("utf-8", "replace")
    if options.output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()
        return
    try:
        Path(options.output).write_bytes(raw)
    except OSError as error:
        raise CannotShowError(f"cannot write {options.output}: {error.strerror}.") from error
