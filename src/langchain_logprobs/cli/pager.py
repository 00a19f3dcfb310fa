"""A picture that is taller than the screen, in the pager of the user's choice."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def page(console: Console, draw: Callable[[], None]) -> None:
    """Draw, in a pager where the console is a terminal that the picture does not fit on.

    Args:
        console: What `draw` prints to.
        draw: Prints the picture.
    """
    command = shlex.split(os.environ.get("PAGER", "less"))
    if not console.file.isatty() or not command:
        draw()
        return
    with console.capture() as captured:
        draw()
    picture = captured.get()
    if picture.count("\n") < console.size.height or not _paged(command, picture):
        console.file.write(picture)
        console.file.flush()


def _paged(command: list[str], picture: str) -> bool:
    """Show the picture in a pager; False where there is no such program."""
    # Quit where one screen is enough, keep colours, leave the picture on the screen: as git asks less to.
    environ = {"LESS": "FRX", "LESSCHARSET": "utf-8", **os.environ}
    try:
        pager = subprocess.Popen(command, stdin=subprocess.PIPE, env=environ)
    except OSError:
        return False
    while True:
        try:
            pager.communicate(picture.encode("utf-8", "replace"))
            return True
        except BrokenPipeError:  # it was closed before its end: seen enough
            pager.wait()
            return True
        except KeyboardInterrupt:  # less takes it as the end of a search, and goes on
            continue
