"""`Settings.span_bytes` holds for every span, whatever a model, a user or a provider wrote into it.

The layout spends the budget on what an ordinary answer has. This is behind it: what is larger than anybody meant (a
list of stop strings of 4 MB, an image in a prompt, a key of 10,000 characters over 100 values) is cut to its share, and
what is left over is taken from the end of the arrays. The span says what was left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_logprobs.telemetry import names
from langchain_logprobs.telemetry.encoded_size import attributes_size, event_size
from langchain_logprobs.telemetry.events import Event
from langchain_logprobs.telemetry.messages import cut_messages

_MOST_STRING = 2_000
"""Bytes of a single string: some backends cut each at 2,048."""

_BESIDE = 1_500
"""Bytes that a span may take beside what is counted here, of the 2 KB over `span_bytes` that it may have: itself, its
times, the resource."""

_STRING_SHARE = 48
_LIST_SHARE = 32
_GROUP_SHARE = 8
_EVENT_SHARE = 4

_MESSAGE_SHARE = 4

_IMPORTANCE = (names.EVALUATION_EVENT, names.LOW_CONFIDENCE_EVENT, names.CHOICE_EVENT, names.CHUNK_EVENT)

_MESSAGES = (names.INPUT_MESSAGES, names.OUTPUT_MESSAGES)
_TOKENS = (names.VALUES, names.TOKENS)
_ALTERNATIVES = (names.ALTERNATIVE_POSITIONS, names.ALTERNATIVE_VALUES, names.ALTERNATIVE_TOKENS)
_FIELDS = (
    names.FIELD_PATHS,
    names.FIELD_CONFIDENCES,
    names.FIELD_MIN_PROBABILITIES,
    names.FIELD_MIN_INDEXES,
    names.FIELD_RUNNERS_UP,
    names.FIELD_RUNNER_UP_PROBABILITIES,
)
_DROPPED: tuple[tuple[str, ...], ...] = (
    (names.INPUT_MESSAGES,),
    (names.OUTPUT_MESSAGES,),
    (*_FIELDS, names.FIELD_CENSORED),
    (names.ANSWER,),
)
"""What goes as a whole where nothing else is left to cut."""

_ARRIVALS = (names.CHUNK_OFFSETS, names.CHUNK_STARTS)
_CUT: tuple[tuple[str, ...], ...] = (_ALTERNATIVES, _TOKENS, _ARRIVALS)
"""What is cut from the end, in this order, where the shares do not do it."""

_PARALLEL = (*_CUT, _FIELDS)
_IN_A_GROUP = frozenset(
    (names.CENSORED_POSITIONS, names.FIELD_CENSORED, *(name for group in _PARALLEL for name in group))
)


_EMPTY = 20  # more than the tags and lengths around an array


class Bounded(NamedTuple):
    """What goes on a span."""

    attributes: dict[str, Any]
    events: list[Event]


def most_of_a_string(span_bytes: int) -> int:
    """Return how many bytes a single string may take on a span of at most so many."""
    return min(_MOST_STRING, span_bytes // _STRING_SHARE)


def cut_text(text: str, most: int) -> str:
    """Return a text, or as much of its start as takes so many bytes of UTF-8."""
    if len(text) * 4 <= most:
        return text
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= most else encoded[:most].decode("utf-8", "ignore")


def cut_strings(attributes: Mapping[str, Any], most: int) -> dict[str, Any]:
    """Return attributes whose single strings, but for messages, take at most so many bytes each."""
    return {
        name: cut_text(value, most) if isinstance(value, str) and name not in _MESSAGES else value
        for name, value in attributes.items()
    }


def bounded(attributes: dict[str, Any], events: Sequence[Event], span_bytes: int, there: int) -> Bounded:
    """Return what fits on a span, and what of it was left out.

    Args:
        attributes: Its attributes, in the form in which they are written.
        events: Its events.
        span_bytes: What the span may take.
        there: What it has already, which may be the user's own: more than a quarter is not made room for.
    """
    # The end may bring an error's type and text.
    room = span_bytes + 2_048 - _BESIDE - min(there, span_bytes // 4) - 2 * most_of_a_string(span_bytes)
    if _at_most(attributes) + sum(_at_most(event.attributes) for event in events) <= room:
        return Bounded(attributes, [*events])  # nearly always
    size = attributes_size(attributes) + sum(event_size(event.name, event.attributes) for event in events)
    return Bounded(attributes, [*events]) if size <= room else _Cutting(attributes, events, span_bytes, room).cut()


def _at_most(attributes: Mapping[str, Any]) -> int:
    """Return a number that is surely not smaller than the size of attributes, in a fraction of the time."""
    size = 120 * len(attributes) + 60
    for value in attributes.values():
        if isinstance(value, str):
            size += 4 * len(value)
        elif isinstance(value, (list, tuple)):
            size += 16 * len(value)
            if value and isinstance(value[0], str):
                size += 4 * len("".join(value))
    return size


class _Cutting:
    """Cuts the attributes and events of one span."""

    def __init__(self, attributes: Mapping[str, Any], events: Sequence[Event], span_bytes: int, room: int) -> None:
        self.attributes = dict(attributes)
        self.events = [*events]
        self.span_bytes = span_bytes
        self.room = room - attributes_size({names.LEFT_OUT: [*attributes, *{event.name for event in events}]})
        self.left_out: dict[str, None] = {}

    def cut(self) -> Bounded:
        self._to_their_shares()
        for group in _CUT:
            self._shorten(group, self._size(group) - self._excess())
        if self._excess() > 0:
            self._drop_events()
        for group in _DROPPED:
            if self._excess() > 0:
                self._drop(group)
        self._say()
        return Bounded(self.attributes, self.events)

    def _to_their_shares(self) -> None:
        """Cut down what is larger than anybody meant, so that the rest does not have to make room for it."""
        most = most_of_a_string(self.span_bytes)
        for name, value in list(self.attributes.items()):
            if isinstance(value, str) and name not in _MESSAGES:
                self._set(name, cut_text(value, most if name != names.ANSWER else 2 * most))
            elif isinstance(value, str):
                self._set(name, cut_messages(value, self.span_bytes // _MESSAGE_SHARE))
            elif isinstance(value, (list, tuple)) and name not in _IN_A_GROUP:
                self._set(name, _cut_strings_of(value, most))
                self._shorten((name,), self.span_bytes // _LIST_SHARE)
        for name in _FIELDS:
            if name in self.attributes:
                self._set(name, _cut_strings_of(self.attributes[name], most))
        self._shorten(_FIELDS, self.span_bytes // _GROUP_SHARE)
        self.events = [self._event(event, most) for event in self.events]
        if self._size_of_events() > self.span_bytes // _EVENT_SHARE:
            self._drop_events()

    def _event(self, event: Event, most: int) -> Event:
        attributes = cut_strings(event.attributes, most)
        cut = {name: _cut_strings_of(value, most) for name, value in attributes.items()}
        alternatives = {name: cut[name] for name in _ALTERNATIVES if name in cut}
        if attributes_size(alternatives) > 2 * most:
            cut = {name: value for name, value in cut.items() if name not in alternatives}
        if cut != event.attributes:
            self.left_out[event.name] = None
        return event._replace(attributes=cut)

    def _drop_events(self) -> None:
        """Keep the events that matter most, as far as their share reaches."""
        share = min(self.span_bytes // _EVENT_SHARE, self._size_of_events() - self._excess())
        kept: set[int] = set()
        order = {name: place for place, name in enumerate(_IMPORTANCE)}
        for index in sorted(range(len(self.events)), key=lambda each: order.get(self.events[each].name, 0)):
            share -= event_size(self.events[index].name, self.events[index].attributes)
            if share < 0:
                self.left_out[self.events[index].name] = None
            else:
                kept.add(index)
        self.events = [event for index, event in enumerate(self.events) if index in kept]

    def _shorten(self, group: Sequence[str], most: int) -> None:
        """Cut parallel arrays from their end until they take at most so many bytes."""
        present = [name for name in group if name in self.attributes]
        excess: float = self._size(present) - max(0, most)
        count = min((len(self.attributes[name]) for name in present), default=0)
        if not count or excess <= 0:
            return
        order = [*range(count)]
        if group is _FIELDS:  # the surest values go first
            order.sort(key=self.attributes[names.FIELD_CONFIDENCES].__getitem__)
        saved = [_item_sizes(self.attributes[name]) for name in present]
        while order and excess > 0:
            item = order.pop()
            excess -= sum(sizes[item] for sizes in saved)
        order.sort()
        for name in present:
            self._set(name, [self.attributes[name][item] for item in order])
        if group is _TOKENS:
            self.attributes[names.TOKENS_RECORDED] = len(order)
            self._renumber(names.CENSORED_POSITIONS, order)
        elif group is _FIELDS:
            self._renumber(names.FIELD_CENSORED, order)
        if not order and group is not _TOKENS:
            self._drop(present)

    def _renumber(self, name: str, kept: Sequence[int]) -> None:
        """Keep of some indexes those of what is kept, by its new index."""
        if name in self.attributes:
            known = {item: index for index, item in enumerate(kept)}
            self.attributes[name] = [known[each] for each in self.attributes[name] if each in known]
            if not self.attributes[name]:
                del self.attributes[name]

    def _drop(self, group: Iterable[str]) -> None:
        for name in group:
            if self.attributes.pop(name, None) is not None:
                self.left_out[name] = None

    def _set(self, name: str, value: Any) -> None:
        if value != self.attributes[name]:
            self.left_out[name] = None
            self.attributes[name] = value
            if value is None:
                del self.attributes[name]

    def _say(self) -> None:
        if self.left_out:
            self.attributes[names.LEFT_OUT] = sorted(self.left_out)

    def _excess(self) -> int:
        return attributes_size(self.attributes) + self._size_of_events() - self.room

    def _size(self, group: Iterable[str]) -> int:
        return attributes_size({name: self.attributes[name] for name in group if name in self.attributes})

    def _size_of_events(self) -> int:
        return sum(event_size(event.name, event.attributes) for event in self.events)


def _cut_strings_of(value: Any, most: int) -> Any:
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], str):
        return [cut_text(each, most) for each in value]
    return value


def _item_sizes(items: Sequence[Any]) -> Sequence[float]:
    """Return what leaving out each item of an array saves: together a little less than the array takes."""
    size = attributes_size({"": items}) - _EMPTY
    if isinstance(items[0], str):
        texts = [len(each.encode("utf-8", "replace")) for each in items]
        overhead = (size - sum(texts)) / len(items)
        return [overhead + each for each in texts]
    return [size / len(items)] * len(items)
