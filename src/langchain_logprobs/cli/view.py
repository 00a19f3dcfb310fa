"""`langchain-logprobs view`: the traces of a source, drawn in the terminal."""

from __future__ import annotations

import argparse
import io
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from langchain_logprobs.cli.follow import follow
from langchain_logprobs.cli.pager import page
from langchain_logprobs.cli.problems import CannotShowError
from langchain_logprobs.cli.traces import SOURCE_HELP, spans_of, spans_of_all
from langchain_logprobs.view.choose import LEVELS, Wanted, choose
from langchain_logprobs.view.model import Trace, read_traces

if TYPE_CHECKING:
    from rich.console import Console

    from langchain_logprobs.view.terminal.pen import Theme

FOUND = 3
"""The exit code where `--below` found something: other than those of a problem (1) and of wrong arguments (2)."""

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
        epilog=f"The exit code is 0; {FOUND} where --below found something (for a check in CI); 1 where nothing can be "
        "shown, and why is said; 2 for wrong arguments. A picture taller than the screen goes through $PAGER.",
    )
    view.add_argument("files", metavar="SOURCE", nargs="+", help=f"{SOURCE_HELP}; several are shown as one")
    which = view.add_argument_group("which traces")
    which.add_argument("--trace", metavar="ID", help="only the trace with this id, or with an id that starts so")
    which.add_argument(
        "--low", action="store_true", help="only with a low-confidence stretch, or a token without a probability"
    )
    which.add_argument("--level", choices=LEVELS, help="only with a model call of this level")
    which.add_argument(
        "--below",
        type=_probability,
        metavar="P",
        help="only with a model call whose confidence (of a structured answer, that of its least certain value) is "
        f"below P, or cannot be told for lack of a probability; the exit code is {FOUND} where there is one",
    )
    which.add_argument("--last", action="store_true", help="only the last of them")
    which.add_argument("--watch", action="store_true", help="follow the file: draw what is written to it later too")
    how = view.add_argument_group("how they are drawn")
    how.add_argument("--calls", action="store_true", help="only the model calls, without the steps around them")
    how.add_argument("--full", action="store_true", help="all of a long answer, of the question and of each choice")
    how.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="auto is the default, always is for pipes: | less -R",
    )
    screen = how.add_mutually_exclusive_group()
    screen.add_argument("--light", action="store_true", help="colours for a light screen")
    screen.add_argument("--dark", action="store_true", help="colours for a dark screen")
    how.add_argument("--width", type=_positive, metavar="N", help="columns; by default the terminal's")
    view.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Draw what the options say.

    Returns:
        The exit code.

    Raises:
        CannotShowError: There is nothing to draw, or nothing to draw it with.
    """
    console, draw = _drawing(options)
    wanted = Wanted(low=options.low, level=options.level, below=options.below)

    def chosen(traces: Sequence[Trace]) -> list[Trace]:
        return choose(traces, wanted, calls=options.calls, last=options.last)

    found = False
    if options.watch:
        if len(options.files) > 1:
            raise CannotShowError("--watch follows one file.")
        (file,) = options.files
        for traces in follow(file, lambda: read_traces(spans_of(file, options.trace))):
            if shown := chosen(traces):
                found = True
                draw(shown)
                console.print()
    else:
        traces = read_traces(spans_of_all(options.files, options.trace))
        shown = chosen(traces)
        found = bool(shown)
        if shown:
            page(console, lambda: draw(shown))
        else:
            sys.stderr.write(f"langchain-logprobs: none of {len(traces):,} traces has such a model call.\n")
    return FOUND if found and options.below is not None else 0


def _drawing(options: argparse.Namespace) -> tuple[Console, Callable[[Sequence[Trace]], None]]:
    """Return the console, and what draws traces on it."""
    try:
        from rich.console import Console

        from langchain_logprobs.view.terminal.trace import draw_traces
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "rich":
            raise
        raise CannotShowError(_NO_RICH) from error
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Not every terminal can encode every token; a question mark is better than no trace.
        sys.stdout.reconfigure(errors="replace")
    if options.color == "always":
        # What NO_COLOR and TERM say is meant for a terminal; who writes always means another reader.
        console = Console(width=options.width, force_terminal=True, no_color=False)
        if console.color_system is None:
            console = Console(width=options.width, force_terminal=True, no_color=False, color_system="256")
    else:
        console = Console(width=options.width, no_color=True if options.color == "never" else None)
    theme: Theme | None = "light" if options.light else "dark" if options.dark else None
    return console, lambda traces: draw_traces(traces, console, full=options.full, theme=theme)


def _probability(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{word!r} is not a probability from 0 to 1")
    return value


def _positive(word: str) -> int:
    if not word.isascii() or not word.isdigit():
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number")
    if int(word) == 0:
        raise argparse.ArgumentTypeError("0 is not at least 1")
    return int(word)
