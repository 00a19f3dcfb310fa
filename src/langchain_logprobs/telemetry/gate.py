"""The one gate through which attributes leave: only valid UTF-8, and no text where text is not captured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_logprobs.telemetry import names

_PATHS = frozenset({names.FIELD_PATHS, names.FIELD_MIN_PATH})


class Gate:
    """Decides what may go out.

    Whatever is written on a span, an event or a log record passes here last. An attribute that quotes a model or a
    user is marked so where it is named (telemetry/names.py), so that a new one cannot leak by being forgotten here.
    """

    def __init__(self, *, capture_text: bool) -> None:
        """Open it for text, or not."""
        self.capture_text = capture_text

    def __call__(self, attributes: Mapping[str, Any], known_paths: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Return what may go out of some attributes.

        Args:
            attributes: Their names and values.
            known_paths: What is shown of each JSON Pointer without text: the keys that the request's schema names.
        """
        if self.capture_text:
            return {name: clean_value(value) for name, value in attributes.items()}
        passed = {}
        for name, value in attributes.items():
            if name in names.TEXTS:
                continue
            if name in _PATHS:
                known = known_paths or {}
                value = known.get(value, "*") if isinstance(value, str) else [known.get(path, "*") for path in value]
            passed[name] = clean_value(value)
        return passed


def clean_value(value: Any) -> Any:
    """Return a value whose strings UTF-8 can carry."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return clean_all(value)
    return value


def clean(text: str) -> str:
    """Return text that UTF-8 can carry: a lone surrogate (half an emoji) becomes U+FFFD; two halves are joined."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_all(texts: list[str]) -> list[str]:
    """Return the texts as they are if UTF-8 can carry them, which one look at all of them tells."""
    try:
        "\0".join(texts).encode()
    except UnicodeEncodeError:
        return [clean(text) for text in texts]
    return texts
