"""Labelled rows: the score of one value of one answer, and whether the value is right. Read, and checked."""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import json
import math
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

REQUIRED = ("score", "right", "model", "field_path")
OPTIONAL = ("prompt", "item")

_RIGHT = {"1": True, "true": True, "yes": True, "right": True, "0": False, "false": False, "no": False, "wrong": False}
_MOST_PROBLEMS = 5
_TELLING_DIGITS = 6

Record = Mapping[str, Any]
Placed = tuple[str, Record]
"""Where a record stands ("rows.csv, line 3"), and its columns."""


class RowsError(ValueError):
    """Labelled rows cannot be taken; the message names the row, what is wrong with it and the cure."""


class Row(NamedTuple):
    """One labelled value.

    Attributes:
        model: The model that gave it.
        prompt: What the prompt is called; None where that is not said.
        path: JSON Pointer of the field; "" for the answer as a whole.
        item: What was asked about: a document, a question. None where that is not said.
        score: Its confidence, from 0 to 1, as the report or the span has it.
        right: Whether it is right.
        place: Where the row stands, for messages.
    """

    model: str
    prompt: str | None
    path: str
    item: str | None
    score: float
    right: bool
    place: str = "a row"

    @property
    def key(self) -> tuple[str, str | None, str]:
        """The group that it belongs to."""
        return self.model, self.prompt, self.path


def read_records(path: str | Path) -> list[Placed]:
    """Read the records of a CSV, JSON or JSON lines file, compressed with gzip or not.

    Raises:
        OSError: The file cannot be read.
        RowsError: It is none of these, or holds no record.
    """
    path = Path(path)
    name = path.name.lower().removesuffix(".gz")
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise RowsError(f"{path}: not text in UTF-8 ({error}). Save it as UTF-8") from error
    is_json = name.endswith((".json", ".jsonl")) or text.lstrip()[:1] in ("{", "[")
    records = _json_records(path, text) if is_json else _csv_records(path, text)
    if not records:
        raise RowsError(f"{path} holds no rows. It needs the columns {', '.join(REQUIRED)}, and a row for each value")
    return records


def rows_of(records: Sequence[Placed], *, ignore: Collection[str] = ()) -> list[Row]:
    """Make rows of records that have a score.

    Args:
        records: The records, as `read_records` returns them.
        ignore: Columns to take no notice of.

    Raises:
        RowsError: Something is wrong with a column or a row.
    """
    check_columns(records, REQUIRED, OPTIONAL, ignore)
    return collect(records, _row)


def check_columns(
    records: Sequence[Placed], required: Collection[str], optional: Collection[str], ignore: Collection[str]
) -> None:
    """Refuse columns that are missing or not known: a mistyped `prompt` would pool prompts without a word.

    Raises:
        RowsError: There are such columns.
    """
    known = [*required, *optional]
    for place, record in records:
        missing = [name for name in required if name not in record]
        unknown = [name for name in record if name not in known and name not in ignore]
        if missing:
            raise RowsError(
                f"{place}: the column {missing[0]!r} is missing{_close(missing[0], unknown)}. "
                f"Needed are {', '.join(required)}; {', '.join(optional)} can be given"
            )
        if unknown:
            raise RowsError(
                f"{place}: the column {unknown[0]!r} is not known{_close(unknown[0], known)}. "
                f"Known are {', '.join(known)}. Take it out, or pass it over with --ignore {unknown[0]}"
            )


def collect(records: Iterable[Placed], make: Callable[[str, Record], Any]) -> list[Any]:
    """Make something of each record.

    Raises:
        RowsError: It could not be made of some; the first few are named.
    """
    made, problems = [], []
    for place, record in records:
        try:
            made.append(make(place, record))
        except RowsError as problem:
            problems.append(f"{place}: {problem}")
    if problems:
        more = [f"... and {len(problems) - _MOST_PROBLEMS} rows more"] if len(problems) > _MOST_PROBLEMS else []
        raise RowsError("\n".join(problems[:_MOST_PROBLEMS] + more))
    return made


def check(rows: Sequence[Row]) -> None:
    """Refuse rows that would make the figures better than they are.

    Raises:
        RowsError: A row comes twice, an item is in a group twice, a score is no share, or nothing is wrong.
    """
    if not rows:
        raise RowsError("there are no labelled rows")
    problems = [*_wrong_scores(rows), *_duplicates(rows)]
    if problems:
        more = [f"... and {len(problems) - _MOST_PROBLEMS} rows more"] if len(problems) > _MOST_PROBLEMS else []
        raise RowsError("\n".join(problems[:_MOST_PROBLEMS] + more))
    rights = Counter(row.right for row in rows)
    if len(rights) == 1:
        word, other = ("right", "wrong") if rights[True] else ("wrong", "right")
        raise RowsError(
            f"all {len(rows)} rows are {word}, from {rows[0].place} on: there is nothing to tell apart. Label answers "
            f"that are {other} too (draw them by chance from all answers, not from the checked ones), or see whether "
            "the column `right` was filled by mistake"
        )


def right_of(value: Any) -> bool:
    """Return what a label says.

    Raises:
        RowsError: It is no label.
    """
    if isinstance(value, bool):
        return value
    found = None if isinstance(value, float) else _RIGHT.get(str(value).strip().lower())
    if found is None:
        raise RowsError(f"right is {value!r:.80}; write true or false (1 or 0, yes or no, right or wrong)")
    return found


def text_of(record: Record, name: str, *, empty: bool = False) -> str:
    """Return a column that must be there.

    Raises:
        RowsError: It is empty, or no text.
    """
    value = record.get(name)
    if isinstance(value, str) and (empty or value.strip()):
        return value.strip()
    raise RowsError(f"{name} is {value!r:.80}; it needs a text")


def optional_of(record: Record, name: str) -> str | None:
    """Return a column that can be empty; None where it is."""
    value = record.get(name)
    return None if value is None or not str(value).strip() else str(value).strip()


def path_of(path: str) -> str:
    """Return a JSON Pointer.

    Raises:
        RowsError: It is none.
    """
    if path and not path.startswith("/"):
        raise RowsError(f"field_path is {path!r:.80}; write the JSON Pointer /{path}, or nothing for the whole answer")
    return path


def _row(place: str, record: Record) -> Row:
    value = record["score"]
    try:
        score = math.nan if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError):
        raise RowsError(
            f"score is {value!r:.80}, which is no number. Leave out values without a confidence; write 0.93, not 0,93"
        ) from None
    return Row(
        model=text_of(record, "model"),
        prompt=optional_of(record, "prompt"),
        path=path_of(text_of(record, "field_path", empty=True)),
        item=optional_of(record, "item"),
        score=score,
        right=right_of(record["right"]),
        place=place,
    )


def _wrong_scores(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        if math.isnan(row.score):
            yield f"{row.place}: the score is NaN. Leave the row out: a value without a confidence is never accepted"
        elif not 0 <= row.score <= 1:
            yield f"{row.place}: the score {row.score:g} is not from 0 to 1. Write no percent and no logprob"


def _duplicates(rows: Iterable[Row]) -> Iterator[str]:
    """Find values that would be counted twice, and that could be learned from and tested on at once."""
    first: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if row.item is None and len(repr(row.score)) < _TELLING_DIGITS + 2:
            continue  # a rounded score can well come twice
        known = first.setdefault((row.key, row.score if row.item is None else row.item), row)
        if known is row:
            continue
        if row.item is None:
            yield (
                f"{row.place}: the same score {row.score!r} of the same field as {known.place}: a row that comes "
                "twice? Take one out; if these are two answers, say so with a column `item` that names what was asked"
            )
        else:
            yield (
                f"{row.place}: item {row.item!r:.80} of this model, prompt and field is in {known.place} already. What "
                "is learned from one would be tested on the other: keep one row for each item, drawn by chance"
            )


def _csv_records(path: Path, text: str) -> list[Placed]:
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[Placed] = []
    try:
        names = [name.strip() for name in next(reader, [])]
        for name, count in Counter(names).items():
            if count > 1:
                raise RowsError(f"{path}, line 1: the column {name!r} comes {count} times. Take one out")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            place = f"{path.name}, line {reader.line_num}"
            if len(cells) != len(names):
                raise RowsError(
                    f"{place}: {len(cells)} cells under {len(names)} columns. Quote cells that hold a comma"
                )
            records.append((place, dict(zip(names, cells, strict=True))))
    except csv.Error as error:
        raise RowsError(f"{path}, line {reader.line_num}: no CSV ({error}). Is a quote not closed?") from error
    return records


def _json_records(path: Path, text: str) -> list[Placed]:
    def plain(place: str, value: Any) -> Placed:
        if not isinstance(value, dict):
            raise RowsError(f"{place}: a {type(value).__name__}, not an object with the columns {', '.join(REQUIRED)}")
        return place, value

    if text.lstrip().startswith("["):
        try:
            return [plain(f"{path.name}, row {at}", value) for at, value in enumerate(json.loads(text), 1)]
        except (json.JSONDecodeError, RecursionError) as error:
            raise RowsError(f"{path}: no JSON ({error})") from error
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        place = f"{path.name}, line {number}"
        try:
            if line.strip():
                records.append(plain(place, json.loads(line)))
        except (json.JSONDecodeError, RecursionError) as error:
            raise RowsError(
                f"{place}: no JSON ({error}). Write one object a line, or all of them in one list"
            ) from error
    return records


def _close(name: str, names: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; is it {found[0]!r}?" if found else ""
