"""A structured answer in the terminal: the JSON as the model wrote it, each value with its confidence beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from langchain_logprobs.confidence.printable import printable
from langchain_logprobs.view.answer import Answer, Field
from langchain_logprobs.view.terminal.flow import Flow
from langchain_logprobs.view.terminal.json_lines import JsonLine, json_lines
from langchain_logprobs.view.terminal.nearly import WORTH_NAMING, nearly_said
from langchain_logprobs.view.terminal.pen import Pen, decimal
from langchain_logprobs.view.terminal.shading import BANDS, NARROW, band_of, token_text

_FOLD_OVER = 60  # lines of an answer that are drawn, however sure
_AROUND = 2  # lines around an unsure one that are drawn with it

Row = tuple[Text, Text, RenderableType]


def draw_json(answer: Answer, pen: Pen, *, full: bool = False) -> RenderableType | None:
    """Draw a structured answer, each value with its confidence; None where its values are not in its text.

    Args:
        answer: The answer.
        pen: For the console that it is drawn on.
        full: Draw all lines; else a long answer shows those around its unsure values.
    """
    structured = json_lines(answer) if answer.fields else None
    if structured is None:
        return None
    rows = list(_folded(structured.lines, pen, full=full))
    rows += [_field_row(field, pen) for field in structured.elsewhere]
    if answer.field_count > len(answer.fields):
        said = f"confidence of the {len(answer.fields)} least certain of {answer.field_count:,} values"
        rows.append((Text(said, "dim"), Text(), ""))
    return _Rows(rows)


def draw_fields(fields: Sequence[Field], pen: Pen) -> RenderableType:
    """Draw values by their paths: where the text does not show them, or was not recorded."""
    return _Rows([_field_row(field, pen) for field in fields])


class _Rows:
    """Lines with a confidence and a note beside them, the note below them on a narrow screen."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= NARROW
        table = Table.grid(padding=(0, 3 if wide else 1))
        table.add_column(overflow="fold")
        table.add_column(no_wrap=True)
        if wide:
            table.add_column(overflow="fold")
        for text, confidence, note in self._rows:
            table.add_row(text, confidence, *([note] if wide else []))
            if note and not wide:
                table.add_row(Padding(note, (0, 0, 0, 2)))
        yield table


def _folded(lines: Sequence[JsonLine], pen: Pen, *, full: bool) -> Iterator[Row]:
    if full or len(lines) <= _FOLD_OVER:
        yield from (_row(line, pen) for line in lines)
        return
    unsure = (at for at, line in enumerate(lines) if _is_unsure(line))
    shown = {near for at in unsure for near in range(at - _AROUND, at + _AROUND + 1)}
    hidden = 0
    for at, line in enumerate(lines):
        if at in shown:
            if hidden:
                yield _fold(hidden)
            hidden = 0
            yield _row(line, pen)
        else:
            hidden += 1
    if hidden:
        yield _fold(hidden)


def _fold(count: int) -> Row:
    return Text(f"… {count:,} sure lines …", "dim"), Text(), ""


def _is_unsure(line: JsonLine) -> bool:
    if line.field is not None:
        return line.field.censored or band_of(line.field.confidence) is not BANDS[0]
    tokens = (token for piece in line.pieces for token in piece.tokens)
    return any(token.counted and band_of(token.probability) is not BANDS[0] for token in tokens)


def _row(line: JsonLine, pen: Pen) -> Row:
    text = Text()
    for piece in line.pieces:
        if piece.field is not None:
            pen.shade(text, printable(piece.text), _shown(piece.field))
        elif piece.tokens:
            text.append_text(pen.answer(piece.tokens))
        else:
            text.append(printable(piece.text))
    if line.field is not None:
        return text, *_columns(line.field, pen)
    return text, Text(), Text("the same key comes again", "dim") if line.shadowed else ""


def _field_row(field: Field, pen: Pen) -> Row:
    return Text(printable(field.path) or "/"), *_columns(field, pen)


def _shown(field: Field) -> float | None:
    return None if field.censored else field.confidence


def _columns(field: Field, pen: Pen) -> tuple[Text, RenderableType]:
    confidence = Text()
    if field.censored:  # the number is the most that it can be; 1 says nothing
        pen.shade(confidence, f"≤{decimal(field.confidence)}" if field.confidence < 1.0 else "unknown", None)
    else:
        pen.shade(confidence, decimal(field.confidence), field.confidence)
    if field.runner_up is not None and field.runner_up[1] >= WORTH_NAMING:
        value, probability = field.runner_up
        return confidence, Text.assemble(("nearly ", "dim"), printable(value), (f" {decimal(probability)}", "dim"))
    token = field.weakest
    if token is None or band_of(token.probability) is BANDS[0]:
        return confidence, ""
    said = f"“{token_text(token.text, show_space=False)}” nearly "
    nearly: Flow | None = nearly_said(token, before=said)
    return confidence, nearly or ""
