"""How a name is put down: with its type, where it stands and what it means, of which the documentation makes tables."""

from __future__ import annotations

from typing import NamedTuple


class Name(NamedTuple):
    """One documented name.

    Attributes:
        name: As it appears in a trace.
        type: Type of its value, `[]` for an array.
        group: Where it stands: "model call", "ancestor", an event, "metric".
        doc: What it means, in one line.
    """

    name: str
    type: str
    group: str
    doc: str


DOCUMENTED: list[Name] = []

TEXTS: set[str] = set()
"""The names whose values are, or may quote, what a model or a user wrote: they go out only where text is captured."""


def define(name: str, kind: str, group: str, doc: str, *, text: bool = False) -> str:
    """Put a name down, and return it; `text` where its value is, or may quote, what a model or a user wrote."""
    DOCUMENTED.append(Name(name, kind, group, doc))
    if text:
        TEXTS.add(name)
    return name


def again(group: str, doc_of: dict[str, str]) -> None:
    """Document names that stand elsewhere too, with the type that they have there."""
    types = {item.name: item.type for item in DOCUMENTED}
    for name, doc in doc_of.items():
        define(name, types[name], group, doc)


def document(group: str) -> str:
    """Return the Markdown table of one group of names."""
    rows = [f"| `{item.name}` | {item.type} | {item.doc} |" for item in DOCUMENTED if item.group == group]
    return "\n".join(["| name | type | meaning |", "| --- | --- | --- |", *rows])
