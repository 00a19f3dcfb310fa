"""How a token looks by its probability: colours that a colour-blind reader tells apart, and a sign beside colour.

Only doubt is shaded: from 0.9 up a token looks like any text. The steps are fixed, never fitted to one answer, so that
two answers can be compared. The colours are ColorBrewer's YlOrBr, whose steps differ in lightness and not in hue alone;
on a dark screen they run the other way, from near the background to bright, so that doubt always stands out more.

Where it is not known which of both a screen is, lightness cannot tell: what is near to white is far from black. The
colours then are as far from the one as from the other, and the steps differ in kind: coloured text, bold text, a block,
a bold block.
"""

from __future__ import annotations

from dataclasses import dataclass

from langchain_logprobs.confidence.printable import printable

NO_TEXT = "∎"
"""Stands for a token without text, which is most often the end of the answer."""

NOT_RECORDED = "■"
"""Stands for a token whose text was not recorded."""


NARROW = 64
"""With fewer columns than this, columns side by side are too narrow to read."""

_LISTED_LENGTH = 32  # a token can be a hundred spaces


@dataclass(frozen=True, slots=True)
class Band:
    """One step of the scale.

    Attributes:
        floor: The lowest probability in it; None for tokens without an honest probability.
        label: The step in the legend.
        light: Background and text colour on a light screen; None where it is not shaded.
        dark: The same on a dark screen.
        any: The same on a screen that may be either; without a background where the text alone is coloured.
        sixteen: The same for terminals with 16 colours or fewer.
        emphasis: Besides colour, and where there is none.
        emphasis_any: What is added to it with the colours of `any`.
        marks: Around the token where there are too few colours, or none.
    """

    floor: float | None
    label: str
    light: tuple[str, str] | None = None
    dark: tuple[str, str] | None = None
    any: tuple[str | None, str] | None = None
    sixteen: tuple[str, str] | None = None
    emphasis: str = ""
    emphasis_any: str = ""
    marks: tuple[str, str] = ("", "")


# Every pair of colours has a contrast of at least 4.5 (tests compute it). The first step on a dark screen is nearly
# grey, because the nearest of 256 colours to a dark brown is a red.
BANDS = (
    Band(0.9, "≥.9"),
    Band(0.7, ".7–.9", light=("#fee8a8", "#000000"), dark=("#4a4239", "#f6e7cf"), any=(None, "#b06000")),
    Band(
        0.5,
        ".5–.7",
        light=("#fec44f", "#000000"),
        dark=("#8a4a08", "#ffffff"),
        any=(None, "#b06000"),
        sixteen=("yellow", "black"),
        emphasis_any="bold",
    ),
    Band(
        0.2,
        ".2–.5",
        light=("#ec7014", "#000000"),
        dark=("#ec7014", "#000000"),
        any=("#b06000", "#ffffff"),
        sixteen=("yellow", "black"),
        emphasis="underline",
        marks=("‹", "›"),
    ),
    Band(
        0.0,
        "<.2",
        light=("#993404", "#ffffff"),
        dark=("#fed976", "#000000"),
        any=("#d02020", "#ffffff"),
        sixteen=("red", "white"),
        emphasis="bold underline",
        marks=("«", "»"),
    ),
)
CENSORED = Band(
    None,
    "unknown",
    light=("#6b6b6b", "#ffffff"),
    dark=("#8c8c8c", "#000000"),
    any=("#757575", "#ffffff"),
    sixteen=("white", "black"),
    emphasis="underline",
    marks=("?", "?"),
)
LIST_BELOW = 0.5
"""Tokens under this are listed with what the model nearly said."""


def band_of(probability: float | None) -> Band:
    """Return the step of a probability; None is a token that the provider gave none for."""
    if probability is None:
        return CENSORED
    return next(band for band in BANDS if band.floor is not None and probability >= band.floor)


def token_text(text: str | None, *, show_space: bool) -> str:
    """Return a token on one line, as it stands in a list.

    Args:
        text: The token; None where it was not recorded.
        show_space: Show a space at its start, where that is what tells it from another token.
    """
    if text is None:
        return NOT_RECORDED
    if not text:
        return NO_TEXT
    visible = printable(text)
    if not visible.strip(" "):
        visible = visible.replace(" ", "␣")
    elif show_space and visible.startswith(" "):
        visible = "␣" + visible[1:]
    visible = visible.strip(" ")
    return visible if len(visible) <= _LISTED_LENGTH else visible[: _LISTED_LENGTH - 1] + "…"
