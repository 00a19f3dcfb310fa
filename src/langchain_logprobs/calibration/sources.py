"""Labelled rows from where they come: a table with scores, answers with their logprobs, or traces with labels."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from langchain_logprobs.calibration.rows import (
    Placed,
    Record,
    Row,
    RowsError,
    check_columns,
    collect,
    optional_of,
    path_of,
    read_records,
    right_of,
    rows_of,
    text_of,
)
from langchain_logprobs.confidence.calibrated import score_at
from langchain_logprobs.confidence.of_answer import confidence_of
from langchain_logprobs.settings import Settings
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.model import SpanData

_ANSWER_REQUIRED = ("text", "logprobs", "right", "model")
_ANSWER_OPTIONAL = ("schema", "prompt", "item")
_LABEL_REQUIRED = ("span_id", "field_path", "right")
_LABEL_OPTIONAL = ("trace_id", "prompt", "item", "model")


class _Found(NamedTuple):
    """What a label led to: a row, or none where the value has no score; and whether the answer has the field."""

    row: Row | None
    path: str
    place: str
    is_there: bool = True


class Labelled(NamedTuple):
    """What a source held.

    Attributes:
        rows: The labelled values that have a score.
        without_score: The places of those that have none: no logprobs came, a token is censored, or the answer does
            not have the field. They are never accepted, so that nothing is to be learned of them.
    """

    rows: list[Row]
    without_score: list[str]


def read_rows(path: str | Path, *, ignore: Collection[str] = ()) -> Labelled:
    """Read labelled rows, or labelled answers, from a CSV, JSON or JSON lines file (also compressed with gzip).

    A row has the columns score, right, model, field_path, and can have prompt and item. An answer is an object with
    text, logprobs (the provider's container), model, and right: whether it is right as a whole, or an object that says
    so for each field by its JSON Pointer; schema, prompt and item can be given.

    Args:
        path: The file.
        ignore: Columns to take no notice of.

    Raises:
        OSError: The file cannot be read.
        RowsError: Something is wrong with the file, a column or a row.
    """
    records = read_records(path)
    if "score" not in records[0][1] and {"text", "logprobs"} & records[0][1].keys():
        return answer_rows(records, ignore=ignore)
    return Labelled(rows_of(records, ignore=ignore), [])


def answer_rows(records: Sequence[Placed], *, ignore: Collection[str] = ()) -> Labelled:
    """Make rows of answers with their logprobs, each labelled as a whole or field by field.

    Raises:
        RowsError: Something is wrong with an answer.
    """
    check_columns(records, _ANSWER_REQUIRED, _ANSWER_OPTIONAL, ignore)
    settings = Settings()

    def rows_in(place: str, answer: Record) -> list[_Found]:
        labels = answer["right"] if isinstance(answer["right"], Mapping) else {"": answer["right"]}
        if not isinstance(answer["text"], str):
            raise RowsError("its text is no text")
        message = SimpleNamespace(text=answer["text"], response_metadata={"logprobs": answer["logprobs"]})
        report = confidence_of(message, schema=answer.get("schema"), settings=settings)
        identity = {name: optional_of(answer, name) for name in ("prompt", "item")}
        model, found = text_of(answer, "model"), []
        for path, label in labels.items():
            right, score, row = right_of(label), score_at(report, path_of(path)), None
            if score is not None:
                row = Row(model=model, path=path, score=score, right=right, place=place, **identity)
            is_there = not path or any(leaf.path == path for leaf in report.leaves())
            found.append(_Found(row, path, place, is_there or not report.has_tokens))
        return found

    return _labelled(collect(records, rows_in))


def trace_rows(spans: Sequence[SpanData], records: Sequence[Placed], *, ignore: Collection[str] = ()) -> Labelled:
    """Make rows of the model calls of traces, and of labels: span_id, field_path, right; trace_id, prompt, item, model.

    The score and, unless the label has one, the model are the span's. Where it holds the messages that were sent,
    they are the item, so that the same question asked twice is found.

    Args:
        spans: The spans, as `view` reads them from any of its sources.
        records: The labels, as `read_records` returns them.
        ignore: Columns to take no notice of.

    Raises:
        RowsError: Something is wrong with a label, or its span is not there.
    """
    check_columns(records, _LABEL_REQUIRED, _LABEL_OPTIONAL, ignore)
    by_id: dict[str, list[SpanData]] = {}
    for span in spans:
        by_id.setdefault(span.span_id, []).append(span)

    def rows_in(place: str, label: Record) -> list[_Found]:
        span = _span(by_id, label)
        path = path_of(text_of(label, "field_path", empty=True))
        attributes = span.attributes
        right, score = right_of(label["right"]), _score_on(attributes, path)
        model = (
            optional_of(label, "model")
            or optional_of(attributes, names.RESPONSE_MODEL)
            or optional_of(attributes, names.REQUEST_MODEL)
        )
        if model is None:
            raise RowsError("its span names no model. Give a column `model`")
        if score is None:
            return [_Found(None, path, place, path in (attributes.get(names.FIELD_PATHS) or (path,)))]
        item = optional_of(label, "item") or _asked(span)
        return [_Found(Row(model, optional_of(label, "prompt"), path, item, score, right, place), path, place)]

    return _labelled(collect(records, rows_in))


def _labelled(lists: list[list[_Found]]) -> Labelled:
    found = [each for several in lists for each in several]
    there = {each.path for each in found if each.is_there}
    for each in found:
        if each.path not in there:
            raise RowsError(f"{each.place}: none of the answers has a field {each.path}. Is its JSON Pointer right?")
    return Labelled([each.row for each in found if each.row], [each.place for each in found if each.row is None])


def _score_on(attributes: Mapping[str, Any], path: str) -> float | None:
    """Return what `score_at` would say, from a span's attributes."""
    if names.STATUS not in attributes:
        raise RowsError("its span is no model call with `logprobs.*` attributes. Take the span of the model call")
    paths = list(attributes.get(names.FIELD_PATHS) or ())
    if path in paths:
        at = paths.index(path)
        censored = at in (attributes.get(names.FIELD_CENSORED) or ())
        return None if censored else float(attributes[names.FIELD_CONFIDENCES][at])
    if not path:
        score = attributes.get(names.CONFIDENCE)
        return None if score is None or attributes.get(names.CENSORED_COUNT) else float(score)
    if paths and int(attributes.get(names.FIELD_COUNT) or 0) > len(paths):
        raise RowsError(
            f"the span has only the least certain {len(paths)} fields, and {path} is not among them: what is labelled "
            "would be the worst ones only. Record with a greater Settings(max_fields=...)"
        )
    return None


def _span(by_id: Mapping[str, Sequence[SpanData]], label: Record) -> SpanData:
    span_id, trace_id = text_of(label, "span_id").lower(), (optional_of(label, "trace_id") or "").lower()
    found = [span for span in by_id.get(span_id, ()) if not trace_id or span.trace_id == trace_id]
    if not found:
        raise RowsError(
            f"no span {span_id}{' of trace ' + trace_id if trace_id else ''} in the traces. Is it another file's?"
        )
    if len({span.trace_id for span in found}) > 1:
        raise RowsError(f"span {span_id} is in {len(found)} traces. Give the column `trace_id` too")
    return found[-1]


def _asked(span: SpanData) -> str:
    messages = span.attributes.get(names.INPUT_MESSAGES)
    if messages:
        return "messages " + hashlib.sha256(str(messages).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"span {span.trace_id}/{span.span_id}"
