"""The least certain tokens of an answer in their context, with what the model nearly said."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from langchain_logprobs.confidence.printable import printable
from langchain_logprobs.view.answer import Answer, Token
from langchain_logprobs.view.terminal.nearly import nearly_said
from langchain_logprobs.view.terminal.pen import Pen, decimal
from langchain_logprobs.view.terminal.shading import NARROW

_CONTEXT = (22, 14)  # characters around a listed token


class LeastCertain:
    """Tokens and what the model nearly said: side by side, or below each other on a narrow screen."""

    def __init__(
        self,
        answer: Answer,
        listed: Sequence[Token],
        pen: Pen,
        *,
        heading: str = "least certain",
        numbered: bool = False,
    ) -> None:
        """Prepare the list.

        Args:
            answer: The answer.
            listed: Some of its tokens, in the order of the list.
            pen: For the console that it is drawn on.
            heading: What stands above them.
            numbered: Also say which token of the answer each is.
        """
        self._answer = answer
        self._listed = listed
        self._pen = pen
        self._heading = heading
        self._numbered = numbered

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it."""
        wide = options.max_width >= NARROW
        named = any(token.alternatives for token in self._listed)
        table = Table(box=None, padding=(0, 3 if wide else 1, 0, 0), header_style="dim")
        table.add_column(justify="right", no_wrap=True)
        if self._numbered:
            table.add_column("token", justify="right", no_wrap=True, style="dim")
        table.add_column(self._heading, overflow="fold")
        if wide:
            table.add_column("the model nearly said" if named else "", overflow="fold")
        place = {id(token): position for position, token in enumerate(self._answer.tokens)}
        for token in self._listed:
            probability = Text()
            self._pen.shade(probability, decimal(token.probability) or "unknown", token.probability)
            cells = [probability, *([Text(f"{token.index:,}")] if self._numbered else [])]
            said = _in_context(self._answer, place[id(token)], self._pen)
            nearly = nearly_said(token, before="" if wide else "nearly ") or ""
            table.add_row(*cells, said, *([nearly] if wide else []))
            if nearly and not wide:
                table.add_row(*[""] * len(cells), nearly)
        yield table


def _in_context(answer: Answer, position: int, pen: Pen) -> Text:
    token = answer.tokens[position]
    line = Text()
    if token.text is None:
        line.append(f"token {token.index}")
        return line
    before, after = _CONTEXT
    earlier = "".join(item.text or "" for item in answer.tokens[max(0, position - before) : position])
    later = "".join(item.text or "" for item in answer.tokens[position + 1 : position + 1 + after])
    line.append(_clip(earlier, -before), "dim")
    pen.token(line, Token(token.index, token.text.rstrip("\n") or token.text, token.probability, token.alternatives))
    line.append(_clip(later, after), "dim")
    return line


def _clip(text: str, length: int) -> str:
    """Return the end (length below zero) or the start of a text, on one line, cut between words."""
    line = printable(text)
    if len(line) <= abs(length):
        return line
    if length < 0:
        kept = line[length:]
        return "…" + (kept[kept.index(" ") + 1 :] if " " in kept[:-1] else kept)
    kept = line[:length]
    return (kept[: kept.rindex(" ")] if " " in kept[1:] else kept) + "…"
