"""Styles for what a console can show: full colour, sixteen colours, or none."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.style import Style
from rich.text import Text

from langchain_logprobs.confidence.printable import printable
from langchain_logprobs.view.answer import Token
from langchain_logprobs.view.terminal.shading import (
    BANDS,
    CENSORED,
    LIST_BELOW,
    NO_TEXT,
    NOT_RECORDED,
    Band,
    band_of,
)

Theme = Literal["dark", "light", "any"]
"""What the screen's background is like; `any` where that is not known: its order of emphasis holds on both."""

OFF_TOP1 = "↓"
"""Stands behind a token that was not the model's first choice."""

_LEVEL_BANDS = {"high": BANDS[0], "medium": BANDS[2], "low": BANDS[4]}


def screen_theme(environ: Mapping[str, str] = os.environ) -> Theme:
    """Return whether the screen is light or dark, where the terminal says so (`COLORFGBG`)."""
    background = environ.get("COLORFGBG", "").rpartition(";")[2]
    if not background.isdigit():
        return "any"
    return "light" if background in ("7", "15") else "dark"


@dataclass(frozen=True, slots=True)
class Pen:
    """Draws tokens for one kind of console.

    Attributes:
        theme: What the background is like.
        colours: How many the console has: `full` (256 or more), `sixteen`, or `none`.
    """

    theme: Theme = "any"
    colours: Literal["full", "sixteen", "none"] = "full"

    @classmethod
    def for_console(cls, console: Console, theme: Theme | None = None) -> Pen:
        """Return the pen for a console; `NO_COLOR` and what the terminal can do are found by rich."""
        theme = theme or screen_theme()
        if console.no_color or console.color_system is None:
            return cls(theme, "none")
        return cls(theme, "full" if console.color_system in ("256", "truecolor") else "sixteen")

    def style(self, band: Band) -> Style:
        """Return how text of a band looks: colours as far as there are some, the underline always."""
        background, colour = self._pair(band) or (None, None)
        emphasis = band.emphasis
        if self.colours == "full" and self.theme == "any":
            emphasis += band.emphasis_any
        # None, not False: a style that says nothing is then an empty one.
        bold, underline = ("bold" in emphasis) or None, ("underline" in emphasis) or None
        return Style(color=colour, bgcolor=background, bold=bold, underline=underline)

    def bar(self, band: Band) -> Style:
        """Return how a bar of a band looks, in the colour in which its tokens stand out."""
        background, colour = self._pair(band) or (None, None)
        return Style(color=background or colour, dim=True if band is BANDS[0] else None)

    def _pair(self, band: Band) -> tuple[str | None, str] | None:
        if self.colours == "none":
            return None
        if self.colours == "sixteen":
            return band.sixteen
        return {"light": band.light, "dark": band.dark, "any": band.any}[self.theme]

    def marked(self, text: str, band: Band) -> str:
        """Return text between the marks of its band: where colour cannot tell, and always where it is unknown."""
        if band is CENSORED or self.colours != "full":
            return band.marks[0] + text + band.marks[1]
        return text

    def shade(self, line: Text, text: str, probability: float | None) -> None:
        """Append text as it looks at a probability."""
        band = band_of(probability)
        line.append(self.marked(text, band), self.style(band))

    def level(self, line: Text, level: str | None, score: float | None) -> None:
        """Append an answer's level and score."""
        words = " ".join(part for part in (level and printable(level), decimal(score)) if part)
        line.append(words, self.style(_LEVEL_BANDS.get(level or "", BANDS[0])))

    def token(self, line: Text, token: Token) -> None:
        """Append a token as it stands in the answer's text; one that is no part of the answer is not shaded."""
        if token.part == "outside":
            line.append(printable(token.text or "", keep_lines=True), "dim")
            return
        if token.text is None:
            self.shade(line, NOT_RECORDED, token.probability)
            line.append(" ")
            return
        core = token.text.strip(" \n")
        if core:
            # The space in front is left bare: shaded words then stand apart, and a token's edge can be seen.
            start = token.text.index(core)
            line.append(token.text[:start])
            text, tail = printable(core, keep_lines=True), token.text[start + len(core) :]
        elif token.probability is not None and token.probability >= LIST_BELOW:
            self.shade(line, token.text, token.probability)
            return
        else:  # such doubt about a space, a new line or the end of the answer has to be visible too
            text, tail = (token.text.replace(" ", "␣").replace("\n", "⏎") or NO_TEXT), "\n" * token.text.count("\n")
        self.shade(line, text + (OFF_TOP1 if token.off_top1 else ""), token.probability)
        line.append(tail)

    def answer(self, tokens: Iterable[Token]) -> Text:
        """Return tokens as running text."""
        line = Text()
        for token in tokens:
            self.token(line, token)
        return line

    def legend(self, tokens: Sequence[Token]) -> list[Text]:
        """Return the scale, in the signs it explains, and the other signs that these tokens have."""
        scale = Text.assemble(("probability", "dim"))
        for band in BANDS:
            label = f" {band.label} " if self.colours == "full" else band.label
            scale.append(" ")
            scale.append(self.marked(label, band), self.style(band))
        entries = [scale, Text(f"underlined: under {decimal(LIST_BELOW)}", "dim")]
        if any(token.off_top1 for token in tokens):
            entries.append(Text(f"{OFF_TOP1} not the model's first choice", "dim"))
        if any(token.text == "" and (token.probability or 0.0) < LIST_BELOW for token in tokens):
            entries.append(Text(f"{NO_TEXT} no text: most often the end", "dim"))
        return entries


def decimal(value: float | None) -> str:
    """Return a probability with two digits (three where it is small); empty for None."""
    if value is None:
        return ""
    if 0.0 < value < 0.0005:
        return "<.001"
    text = f"{value:.2f}" if value >= 0.01 or value == 0.0 else f"{value:.3f}"
    # 1.00 is kept for what is certain: .998 is not.
    return text.removeprefix("0") if text != "1.00" or value >= 0.9995 else f"{value:.3f}".removeprefix("0")
