"""An answer as running text, shaded by token; of a long one the unsure passages, and a line of where they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from langchain_logprobs.view.answer import Answer, Token
from langchain_logprobs.view.terminal.pen import Pen, decimal
from langchain_logprobs.view.terminal.shading import BANDS, LIST_BELOW, Band, band_of

FOLD_OVER = 300
"""Tokens of an answer that are all drawn, however sure."""

_AROUND = 12  # tokens around an unsure one that are drawn with it
_WORTH_FOLDING = 30
_REASONING = 60  # tokens of a reasoning text that are drawn; it is in no number
_BARS = ("▁", "▂", "▄", "▆", "█")  # one a band: the taller, the less sure


def is_long(answer: Answer) -> bool:
    """Whether an answer is drawn in passages."""
    return len(answer.tokens) - answer.reasoning_size > FOLD_OVER


def draw_text(answer: Answer, pen: Pen, *, full: bool) -> Text:
    """Return an answer's text without the reasoning before it.

    Args:
        answer: The answer.
        pen: For the console that it is drawn on.
        full: Also the sure passages of a long one.
    """
    tokens = answer.tokens[answer.reasoning_size :]
    whole = full or not is_long(answer)
    passages = [(0, len(tokens))] if whole else _passages(doubtful(answer)[answer.reasoning_size :])
    text = Text()
    at = 0
    for start, end in passages:
        _fold(text, tokens[at:start])
        text.append_text(_trimmed(pen.answer(tokens[start:end]), start > 0))
        at = end
    _fold(text, tokens[at:])
    text.rstrip()
    if answer.omitted:
        text.append(f"\n… {answer.omitted:,} more tokens were not recorded: the span's size was limited", "dim")
    return text


def draw_reasoning(answer: Answer, pen: Pen, *, full: bool) -> Text | None:
    """Return the reasoning before an answer, or the start of it; None where there is none."""
    tokens = answer.tokens[: answer.reasoning_size]
    if not tokens:
        return None
    text = Text.assemble(("reasoning, in none of the numbers: ", "dim"))
    drawn = tokens if full else tokens[:_REASONING]
    text.append_text(_trimmed(pen.answer(drawn), True))
    text.rstrip()
    if len(tokens) > len(drawn):
        text.append(f" … {len(tokens) - len(drawn):,} more tokens", "dim")
    return text


class Strip:
    """A line of bars from the first token of an answer to the last: the taller, the less sure its weakest token."""

    def __init__(self, answer: Answer, pen: Pen) -> None:
        """Prepare the line."""
        self._tokens: Sequence[Token] = answer.tokens[answer.reasoning_size :]
        self._pen = pen

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it as wide as there is room."""
        line = Text()
        count = len(self._tokens)
        cells = min(options.max_width, count)
        for cell in range(cells):
            members = self._tokens[cell * count // cells : (cell + 1) * count // cells]
            place, band = max((_severity(token) for token in members), key=lambda each: each[0])
            line.append(_BARS[place], self._pen.bar(band))
        yield line
        yield Text(f"from the first of {count:,} tokens to the last: the taller, the less sure", "dim")


def _severity(token: Token) -> tuple[int, Band]:
    band = band_of(token.probability)
    if not token.counted:
        return 0, BANDS[0]
    return (BANDS.index(band) if band in BANDS else len(BANDS) - 1), band


def doubtful(answer: Answer) -> list[bool]:
    """Return which tokens of a long answer are drawn with what is around them: those of the last band, if any are."""
    unsure = answer.unsure(BANDS[-2].floor or 0.0)
    return unsure if any(unsure) else answer.unsure(LIST_BELOW)


def _passages(unsure: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yield the start and end of each passage that is drawn: the first words, and what is around unsure tokens."""
    start, end = 0, _AROUND
    for at in (at for at, doubtful in enumerate(unsure) if doubtful):
        if at - _AROUND - end >= _WORTH_FOLDING:
            yield start, end
            start = at - _AROUND
        end = max(end, at + _AROUND + 1)
    yield start, len(unsure) if len(unsure) - end < _WORTH_FOLDING else end


def _fold(text: Text, tokens: Sequence[Token]) -> None:
    if tokens:
        # None of them is censored: those are in a passage.
        least = min((token.probability for token in tokens if token.counted and token.probability), default=1.0)
        said = (
            f"{len(tokens):,} sure tokens"
            if least >= LIST_BELOW
            else f"{len(tokens):,} tokens, none under {decimal(least)}"
        )
        text.rstrip()
        text.append(f"\n… {said} …\n", "dim")


def _trimmed(text: Text, trim: bool) -> Text:
    while trim and text.plain[:1].isspace():
        text = text[1:]
    return text
