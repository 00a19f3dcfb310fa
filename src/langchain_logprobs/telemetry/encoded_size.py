"""The most bytes that a span can take in an OTLP request, without encoding it: that would double the export's price.

Protobuf writes before each field a tag, and before what has no fixed length that length. What is fixed is counted as
if it were there, so that the sum is never too small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_SPAN_BYTES = 128  # ids, times, kind, flags, dropped counts, the status without its text
_EVENT_BYTES = 24
_LINK_BYTES = 56
_BOOLEAN_BYTES = 2
_NEGATIVE_INT_BYTES = 11
_FLOAT_BYTES = 9
_SHORT = 30  # characters: whatever they are, the length of so short a string takes one byte
_SHORT_OVERHEAD = 4  # of a string in an array: two tags and two lengths
_LONG_OVERHEAD = 12


def span_size(span: ReadableSpan) -> int:
    """Return the most bytes that a span takes by itself, without its resource and its scope."""
    size = _SPAN_BYTES + _text_size(span.name) + attributes_size(span.attributes)
    size += _text_size(span.status.description or "")
    if span.context is not None:
        size += _state_size(span.context.trace_state)
    size += sum(event_size(event.name, event.attributes) for event in span.events)
    for link in span.links:
        size += _framed(_LINK_BYTES + _state_size(link.context.trace_state) + attributes_size(link.attributes))
    return _framed(size)


def origin_size(span: ReadableSpan) -> int:
    """Return the most bytes that its resource and its scope take, which all spans of a request with the same share."""
    resource, scope = span.resource, span.instrumentation_scope
    size = _framed(attributes_size(resource.attributes)) + _text_size(resource.schema_url or "")
    if scope is not None:
        named = _text_size(scope.name) + _text_size(scope.version or "") + attributes_size(scope.attributes)
        size += _framed(_framed(named) + _text_size(scope.schema_url or ""))
    return _framed(size) + 2 * _framed(0)


def event_size(name: str, attributes: Mapping[str, Any] | None) -> int:
    """Return the most bytes that an event takes."""
    return _framed(_EVENT_BYTES + _text_size(name) + attributes_size(attributes))


def attributes_size(attributes: Mapping[str, Any] | None) -> int:
    """Return the most bytes that attributes take."""
    if not attributes:
        return 0
    return sum(_framed(_text_size(key) + _framed(_value_size(value))) for key, value in attributes.items())


def _value_size(value: Any) -> int:
    """Return the size of an AnyValue; a value that OTLP has no form for is left out by the encoder."""
    if isinstance(value, str):
        return _text_size(value)
    if isinstance(value, bool):
        return _BOOLEAN_BYTES
    if isinstance(value, int):
        return _int_size(value)
    if isinstance(value, float):
        return _FLOAT_BYTES
    if isinstance(value, bytes):
        return _framed(len(value))
    if isinstance(value, Sequence):
        return _framed(_items_size(value))
    if isinstance(value, Mapping):
        return _framed(attributes_size({str(key): item for key, item in value.items()}))
    return 0


def _items_size(items: Sequence[Any]) -> int:
    """Return the size of an array's items; of the arrays that a span mostly is, in a few looks at the whole."""
    kinds = set(map(type, items))
    if kinds == {float}:
        return _framed(_FLOAT_BYTES) * len(items)
    if kinds == {int}:
        return _framed(max(_int_size(min(items)), _int_size(max(items)))) * len(items)
    if kinds == {str}:
        overhead = _SHORT_OVERHEAD if max(map(len, items)) <= _SHORT else _LONG_OVERHEAD
        return _utf8_size("".join(items)) + overhead * len(items)
    return sum(_framed(_value_size(item)) for item in items)


def _int_size(value: int) -> int:
    return _NEGATIVE_INT_BYTES if value < 0 else 1 + max(1, -(-value.bit_length() // 7))


def _state_size(state: Mapping[str, str] | None) -> int:
    return 0 if not state else _text_size(",".join(f"{key}={value}" for key, value in state.items()))


def _text_size(text: str) -> int:
    return _framed(_utf8_size(text))


def _utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _framed(size: int) -> int:
    """Return the size of something with its tag and its length before it; no such field has a tag of two bytes."""
    return size + 1 + max(1, -(-size.bit_length() // 7))
