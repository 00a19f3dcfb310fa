"""Short texts side by side."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text


class Flow:
    """Short texts side by side, as many on a line as fit: a number is never parted from its name."""

    def __init__(self, texts: Iterable[Text], between: str = "   ") -> None:
        """Take the texts, and what stands between two on the same line."""
        self._texts = list(texts)
        self._between = Text(between, "dim")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Fill lines as wide as there is room."""
        line = Text(overflow="fold")
        for text in self._texts:
            if line and line.cell_len + self._between.cell_len + text.cell_len > options.max_width:
                yield line
                line = Text(overflow="fold")
            if line:
                line.append(self._between)
            line.append(text)
        yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Tell a table how wide this can be."""
        whole = self._between.join(self._texts)
        widest = max((text.cell_len for text in self._texts), default=0)
        return Measurement(widest, whole.cell_len).with_maximum(options.max_width)
