"""The question and the answers of a model call, where messages were recorded (`gen_ai.*.messages`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NO_TEXT = frozenset({"token_confidence"})  # a part of ours that the page shows in other ways


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a message.

    Attributes:
        kind: `text`, `reasoning`, `tool_call`, `tool_call_response` or another type of the conventions.
        text: What it says; of a tool call the arguments as JSON, of an unknown part all of it.
        name: The tool's name; None elsewhere.
    """

    kind: str
    text: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One message: who said it, its parts, and why it ended where that is known."""

    role: str
    parts: tuple[Part, ...]
    finish_reason: str | None = None

    @property
    def text(self) -> str:
        """What it says, a tool call as `name(arguments)`."""
        said = (
            f"{part.name or part.kind}({part.text})" if part.kind == "tool_call" else part.text for part in self.parts
        )
        return "\n".join(said)


def read_messages(attribute: object) -> list[Message]:
    """Read messages in the JSON form of the GenAI conventions; what is not in that form is left out."""
    try:
        listed = json.loads(attribute) if isinstance(attribute, str) else attribute
    except (ValueError, RecursionError):
        return []
    if not isinstance(listed, list):
        return []
    return [
        Message(str(item.get("role", "")), tuple(_parts(item)), _text_or_none(item.get("finish_reason")))
        for item in listed
        if isinstance(item, Mapping)
    ]


def _parts(message: Mapping[str, Any]) -> Iterator[Part]:
    listed = message.get("parts")
    for part in listed if isinstance(listed, list) else ():
        if not isinstance(part, Mapping):
            continue
        kind = str(part.get("type", ""))
        if kind in _NO_TEXT:
            continue
        if kind == "tool_call":
            yield Part(kind, _as_text(part.get("arguments")), _text_or_none(part.get("name")))
        elif kind == "tool_call_response":
            yield Part(kind, _as_text(part.get("response", part.get("result"))))
        elif isinstance(part.get("content"), str):
            yield Part(kind, str(part["content"]))
        else:
            yield Part(kind, _as_text(part))


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
