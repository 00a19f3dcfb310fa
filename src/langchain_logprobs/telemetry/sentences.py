"""A report in words: the answer with its unsure places spelled out, for people who look at a span and not at arrays."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from langchain_logprobs.confidence.fields.report import Field
from langchain_logprobs.confidence.printable import decimal
from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.confidence.stretches import Stretch
from langchain_logprobs.formats.tokens import Alternatives

MAX_ANSWER = 1_000
"""Code points of `logprobs.answer`: some backends cut every string at 2,048 bytes."""

MAX_PLACES = 8
"""Unsure places that are spelled out: the worst ones."""

_UNSURE_TOKEN = 0.5
"""A token below this is spelled out although it is no stretch: more was against it than for it."""

_UNSURE_FIELD = 0.8
_CLOSE = 0.1
"""So is one that another token came this close to."""

_CONTESTED = math.log((1.0 + _CLOSE) / 2.0)
"""From this logprob on, what is left for another token is not that close."""

_WINDOW = 40  # code points around a place in a long answer
_MAX_LABEL = 80
_SURE = " (sure throughout)"


class Place(NamedTuple):
    """An unsure place.

    Attributes:
        start: Where it begins in the passage (code points).
        end: Where it ends.
        label: What is said of it: `1935 .41, nearly 1936 .38`.
        rank: The smaller, the less sure.
    """

    start: int
    end: int
    label: str
    rank: float


class Passage(NamedTuple):
    """A text with its unsure places, in order and apart from each other, and whether it is sure as a whole."""

    text: str
    places: list[Place]
    sure: bool = False

    @property
    def labels(self) -> list[str]:
        """What is said of the places, of the worst first."""
        return [place.label for place in sorted(self.places, key=lambda place: place.rank)]

    def line(self, limit: int = MAX_ANSWER) -> str:
        """Return the text with its places spelled out: whole when short, else their surroundings."""
        if not self.places:
            note = _SURE if self.sure else ""
            whole = len(self.text) + len(note) <= limit
            return (self.text if whole else f"{self.text[: limit - len(note) - 2]} …") + note
        full = "".join(self._spelled(0, len(self.text), self.places))
        if len(full) <= limit:
            return full
        kept = list(self.places)
        while True:
            line = "".join(self._windows(kept))
            if len(line) <= limit or len(kept) == 1:
                return line[:limit]
            kept.remove(max(kept, key=lambda place: place.rank))

    def _windows(self, places: Sequence[Place]) -> Iterator[str]:
        end = 0
        for number, place in enumerate(places):
            start = max(end, place.start - _WINDOW)
            following = places[number + 1].start if number + 1 < len(places) else len(self.text)
            stop = min(place.end + _WINDOW, following, len(self.text))
            if start > end:
                yield "… " if end == 0 else " … "
            yield from self._spelled(start, stop, [place])
            end = stop
        if end < len(self.text):
            yield " …"

    def _spelled(self, start: int, end: int, places: Sequence[Place]) -> Iterator[str]:
        for place in places:
            yield self.text[start : place.start]
            yield f"[{place.label}]"
            start = place.end
        yield self.text[start:end]


def passage_of(report: ConfidenceReport) -> Passage:
    """Return an answer's text with its unsure places: values of its JSON, else tokens and stretches of its prose."""
    sure = report.level == "high"
    if report.tool_calls:
        return _of_tool_calls(report, sure)
    start = report.choices[0].parts.answer_start
    leaves = [leaf.field for leaf in report.leaves()]
    places = _apart(_of_fields(report, leaves, report.text)) if leaves else _of_tokens(report)
    moved = [place._replace(start=place.start - start, end=place.end - start) for place in places]
    return Passage(report.text[start:], moved, sure)


def about(stretch: Stretch, token: str) -> str:
    """Return a stretch in a line; `token` is its weakest token, whose alternatives are told."""
    others = _others(stretch.alternatives, token)[:3]
    nearly = "".join(f", nearly {_short(text)} {decimal(mass)}" for text, mass in others[:1])
    more = "".join(f", {_short(text)} {decimal(mass)}" for text, mass in others[1:])
    probability = None if stretch.censored_count else stretch.min_probability
    return f"“{_short(stretch.text)}” {decimal(probability)}{nearly}{more}"


def _of_tokens(report: ConfidenceReport) -> list[Place]:
    """The least certain places of prose: its stretches, and tokens that another one was close to."""
    parts = report.choices[0].parts
    if parts.alignment.failed:
        return []
    taken = {
        index for each in report.stretches for index in range(each.token_start, each.token_start + each.token_count)
    }
    answer = set(parts.answer) if len(parts.answer) < len(report.tokens) else None
    candidates: list[tuple[float, int, Stretch | None]] = [
        (logprob, index, None)
        for index, logprob in enumerate(report.tokens.logprobs)
        if logprob < _CONTESTED and index not in taken and (answer is None or index in answer)
    ]
    for stretch in report.stretches:
        if stretch.start is not None:
            known = stretch.min_probability if not stretch.censored_count else None
            candidates.append((math.log(known) if known else -math.inf, stretch.token_start, stretch))
    places: list[Place] = []
    # The worst first, and no more than are shown: an answer of a weak model has hundreds.
    for logprob, index, of_stretch in sorted(candidates, key=itemgetter(0)):
        if len(places) == MAX_PLACES:
            break
        if of_stretch is not None:
            place = _of_stretch(of_stretch, report.tokens.texts[of_stretch.min_index])
        else:
            place = _of_token(report, index, math.exp(logprob))
        if place is not None and all(place.end <= other.start or place.start >= other.end for other in places):
            places.append(place)
    weakest = report.weakest
    if not places and report.level != "high" and weakest is not None and weakest.choice == 0 and weakest.probability:
        # No place stands out, and yet the whole is not sure: the weakest token shows how much that is.
        place = _of_token(report, weakest.position, weakest.probability, any_probability=True)
        places += [place] if place is not None else []
    return sorted(places)


def _of_token(
    report: ConfidenceReport, index: int, probability: float, *, any_probability: bool = False
) -> Place | None:
    tokens, alignment = report.tokens, report.choices[0].parts.alignment
    others = _others(tokens.alternatives_at(index), tokens.texts[index])
    if not any_probability and probability >= _UNSURE_TOKEN and not (others and probability - others[0][1] < _CLOSE):
        return None
    start, end = _trimmed(alignment.text, alignment.starts[index], alignment.ends[index])
    return (
        Place(start, end, _label(alignment.text[start:end], probability, others), probability) if start < end else None
    )


def _of_stretch(stretch: Stretch, token: str) -> Place | None:
    rank = -1.0 if stretch.censored_count or stretch.min_probability is None else stretch.min_probability
    others = _others(stretch.alternatives, token)
    label = _label(stretch.text, None if rank < 0 else rank, others)
    return Place(stretch.start or 0, stretch.end or 0, label, rank)


def _of_fields(report: ConfidenceReport, fields: Sequence[Field], text: str) -> list[Place]:
    """The values that are not sure, as they stand in the text; where the answer is not, at least the least sure one."""
    known = [field for field in fields if field.token_count]
    unsure = [field for field in known if field.confidence is None or field.confidence < _UNSURE_FIELD]
    if known and not unsure and report.level != "high":
        unsure = [min(known, key=lambda field: field.confidence or 0.0)]
    places = []
    for field in unsure:
        others: list[tuple[str, float]] = []
        if (other := field.runner_up) is not None:
            bare = field.kind == "string" and field.core_start == field.start  # a label without quotes
            others = [(str(other.value) if bare and not other.only_kind else str(other), other.probability)]
        elif field.min_index is not None:
            others = _others(report.tokens.alternatives_at(field.min_index), report.tokens.texts[field.min_index])
        rank = -1.0 if field.confidence is None else field.confidence
        label = _label(_as_written(field, text), field.confidence, others)
        places.append(Place(field.start, field.end, label, rank))
    return places


def _as_written(field: Field, text: str) -> str:
    """Return a value as the model wrote it, 142.50 and not 142.5; but a string without its escapes."""
    if field.kind == "string" and field.core_start > field.start:
        return json.dumps(field.value, ensure_ascii=False)
    return text[field.start : field.end]


def _of_tool_calls(report: ConfidenceReport, sure: bool) -> Passage:
    texts: list[str] = []
    places: list[Place] = []
    length = 0
    for call in report.tool_calls:
        shown = f"{call.name}({call.text or '…'})"
        if call.text is not None:
            offset = length + len(call.name) + 1
            inner = _of_fields(report, call.fields.leaves, call.text)
            places += [place._replace(start=place.start + offset, end=place.end + offset) for place in inner]
        texts.append(shown)
        length += len(shown) + 1
    return Passage("\n".join(texts), _apart(places), sure)


def _apart(places: list[Place]) -> list[Place]:
    """Keep the worst places that do not overlap, in the order of the text."""
    kept: list[Place] = []
    for place in sorted(places, key=lambda each: each.rank):
        if len(kept) == MAX_PLACES:
            break
        if all(place.end <= other.start or place.start >= other.end for other in kept):
            kept.append(place)
    return sorted(kept, key=lambda each: each.start)


def _label(text: str, probability: float | None, others: Sequence[tuple[str, float]]) -> str:
    nearly = f", nearly {_short(others[0][0])} {decimal(others[0][1])}" if others else ""
    return f"{_short(text)} {decimal(probability)}{nearly}"


def _short(text: str) -> str:
    text = text.strip() or text.replace(" ", "␣").replace("\n", "⏎")
    return text if len(text) <= _MAX_LABEL else f"{text[:_MAX_LABEL]}…"


def _others(alternatives: Alternatives, token: str) -> list[tuple[str, float]]:
    """What else could have stood in the place of a token, with its probability, the best first."""
    known = [
        (text, math.exp(logprob))
        for text, logprob in zip(alternatives.texts, alternatives.logprobs, strict=True)
        if text != token and logprob == logprob
    ]
    return sorted(known, key=lambda each: -each[1])


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip()))
