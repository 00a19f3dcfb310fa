"""Holds a span against OpenTelemetry's GenAI conventions, as conventions.toml has them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
CONVENTIONS: dict[str, Any] = tomllib.loads((HERE / "conventions.toml").read_text(encoding="utf-8"))
EXCEPTIONS: list[dict[str, str]] = tomllib.loads((HERE / "exceptions.toml").read_text(encoding="utf-8"))["exception"]

OPERATION = "gen_ai.operation.name"
_OURS = ("gen_ai.", "server.", "error.")
_MEMBERS: dict[str, list[str]] = CONVENTIONS["members"]
_MESSAGES: dict[str, Any] = CONVENTIONS["messages"]


class Span(NamedTuple):
    """What the conventions speak of.

    Attributes:
        name: Its name.
        kind: `CLIENT`, `INTERNAL`, ...
        failed: Whether its status is an error.
        attributes: All of them; those of other namespaces are passed over.
        events: Names and attributes.
    """

    name: str
    kind: str
    failed: bool
    attributes: Mapping[str, Any]
    events: Sequence[tuple[str, Mapping[str, Any]]] = ()


def findings(span: Span) -> Iterator[str]:
    """Yield what differs, each in a sentence."""
    for name, attributes in span.events:
        if name in CONVENTIONS["events"]:
            yield from _fits(name, CONVENTIONS["events"][name], attributes)
        elif name.startswith("gen_ai."):
            yield f"{name}: no such event"
    operation = span.attributes.get(OPERATION)
    known = {each: kind for kind in CONVENTIONS["spans"].values() for each in kind["operations"]}
    if operation is None:
        for name in _named(span.attributes):
            if name != "error.type":  # an inner step is no operation of theirs; why it failed may be said all the same
                yield f"a span without operation: {name}"
        return
    if operation not in known:
        yield f"{operation}: an operation of no span that is known here"
        return
    what = known[operation]
    yield from _fits(operation, what, span.attributes)
    if span.kind not in what["kinds"]:
        yield f"{operation}: kind {span.kind}"
    subject = span.attributes.get(what["named_by"])
    if subject is None and span.name != operation:
        yield f"{operation}: the name goes on where {what['named_by']} is missing"
    elif subject is not None and span.name != f"{operation} {subject}":
        yield f"{operation}: the name is not the operation and {what['named_by']}: {span.name}"
    if span.failed != ("error.type" in span.attributes):
        yield f"{operation}: error.type and the status disagree"


def _named(attributes: Mapping[str, Any]) -> list[str]:
    return [name for name in attributes if name.startswith(_OURS)]


def _fits(where: str, what: Mapping[str, Any], attributes: Mapping[str, Any]) -> Iterator[str]:
    lists: dict[str, list[str]] = CONVENTIONS["lists"]
    allowed = {each for name in [*what["required"], *what["allowed"]] for each in lists.get(name, [name])}
    for name in what["required"]:
        if name not in attributes:
            yield f"{where}: required {name} is missing"
    for name in _named(attributes):
        if name not in CONVENTIONS["attributes"]:
            yield f"{where}: {name} is no name of the conventions"
        elif name not in allowed:
            yield f"{where}: {name} is not of this span"
        else:
            yield from (f"{where}: {fault}" for fault in _value(name, attributes[name]))


def _value(name: str, value: Any) -> Iterator[str]:
    kind = CONVENTIONS["attributes"][name]
    if kind == "messages":
        yield from _messages(name, value)
    elif not _is_of(kind, value):
        yield f"{name} is no {kind}: {value!r}"
    elif name in _MEMBERS and value not in _MEMBERS[name]:
        yield f"{name} is none of the members: {value}"
    elif name == "gen_ai.response.finish_reasons":
        yield from _reasons(value)


def _is_of(kind: str, value: Any) -> bool:
    if kind.endswith("[]"):
        return isinstance(value, (list, tuple)) and all(_is_of(kind[:-2], each) for each in value)
    if kind == "any":
        return True
    types = {"string": str, "int": int, "double": float, "boolean": bool}
    return type(value) is types[kind]


def _reasons(reasons: Iterable[Any]) -> Iterator[str]:
    for reason in reasons:
        if reason is not None and reason not in _MESSAGES["finish_reasons"]:
            yield f"a finish reason is none of the members: {reason}"


def _messages(name: str, text: Any) -> Iterator[str]:
    try:
        messages = json.loads(text)
    except (TypeError, ValueError):
        yield f"{name} is no JSON"
        return
    for message in messages:
        missing = [key for key in _MESSAGES["message"] if key not in message]
        if missing:
            yield f"{name}: a message without {', '.join(missing)}"
            continue
        if message["role"] not in _MESSAGES["roles"]:
            yield f"{name}: role {message['role']}"
        yield from _reasons([message.get("finish_reason")])
        for part in message["parts"]:
            needed = ["type", *_MESSAGES["parts"].get(part.get("type"), [])]
            missing = [key for key in needed if part.get(key) is None and not (key == "response" and key in part)]
            if missing:
                yield f"{name}: a part of type {part.get('type')} without {', '.join(missing)}"
