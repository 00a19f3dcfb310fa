"""What may stand at a place of a JSON schema, a second time: the schema is walked anew for each place.

For plain schemas: types, enumerations, constants, unions, references, properties and items.
"""

from collections.abc import Collection, Mapping
from typing import Any

Label = str | int | float | bool | None
KINDS = {"string": "string", "number": "number", "integer": "number", "boolean": "boolean", "null": "null",
         "object": "object", "array": "array"}  # fmt: skip
EVERY = frozenset(KINDS.values())
Part = list[Mapping[str, Any]]
"""Schemas that all hold."""


def unwrapped(schema: Any) -> dict[str, Any] | None:
    """The schema in a request's wrapping; None where there is none."""
    if schema is not None and hasattr(schema, "model_json_schema"):
        return dict(schema.model_json_schema())
    while isinstance(schema, Mapping) and "properties" not in schema:
        inner = next((schema[key] for key in ("json_schema", "schema") if isinstance(schema.get(key), Mapping)), None)
        if inner is None:
            break
        schema = inner
    if not schema or not isinstance(schema, Mapping) or schema.get("type") in ("json_object", "json_schema", "text"):
        return None
    return dict(schema)


def identity(value: Any) -> tuple[bool, Any]:
    """True and 1 are two values, 1 and 1.0 are one."""
    return isinstance(value, bool), value


def kind_of(value: Label) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


class Place:
    """A place in a schema: the ways to be right there."""

    def __init__(self, root: Mapping[str, Any], parts: list[Part]) -> None:
        self.root = root
        self.parts = parts
        self.labels: list[Label] = []
        self.kinds: set[str] = set()
        for part in parts:
            self._read(part)

    @classmethod
    def of(cls, schema: Any) -> "Place | None":
        plain = unwrapped(schema)
        return None if plain is None else cls(plain, ways(plain, plain))

    def _read(self, part: Part) -> None:
        lists = [[schema["const"]] if "const" in schema else list(schema["enum"])
                 for schema in part if "const" in schema or "enum" in schema]  # fmt: skip
        if lists:
            for value in lists[0]:
                if all(identity(value) in map(identity, other) for other in lists[1:]):
                    self._add(value)
            return
        types = next((schema["type"] for schema in part if "type" in schema), list(KINDS))
        for word in [types] if isinstance(types, str) else types:
            if word == "boolean":
                self._add(True)
                self._add(False)
            elif word == "null":
                self._add(None)
            else:
                self.kinds.add(KINDS[word])
        if "type" not in {key for schema in part for key in schema}:
            self.kinds |= EVERY

    def _add(self, value: Label) -> None:
        if identity(value) not in map(identity, self.labels):
            self.labels.append(value)

    def takes(self, kind: str) -> bool:
        return kind in self.kinds or kind in map(kind_of, self.labels)

    def listed(self) -> list[Label]:
        """The labels that are not of a type of which everything is allowed."""
        return [label for label in self.labels if kind_of(label) not in self.kinds]

    @property
    def is_choice(self) -> bool:
        return self.kinds != EVERY and (bool(self.listed()) or len(self.kinds) > 1)

    def fits(self, kind: str, keys: Collection[str | int], *, complete: bool) -> bool:
        return self.takes(kind) and (kind != "object" or any(has_keys(part, keys, complete) for part in self.parts))

    def child(self, key: str | int) -> "Place | None":
        found: list[Part] = []
        for part in self.parts:
            together: list[Part] = [[]]
            said = False
            for schema in part:
                inner = member(schema, key)
                if inner is not None:
                    said = True
                    together = [[*one, *other] for one in together for other in ways(inner, self.root)]
            if said:
                found += together
        return Place(self.root, found) if found else None


def has_keys(part: Part, keys: Collection[str | int], complete: bool) -> bool:
    required = [name for schema in part for name in schema.get("required", ())]
    if required and complete:
        return all(name in keys for name in required)
    named = [name for schema in part for name in schema.get("properties", {})]
    return not named or any(name in keys for name in named) or (complete and not keys)


def member(schema: Mapping[str, Any], key: str | int) -> Mapping[str, Any] | None:
    if isinstance(key, int):
        first = schema.get("prefixItems", ())
        inner = first[key] if key < len(first) else schema.get("items")
    else:
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    return inner if isinstance(inner, Mapping) else None


def ways(schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[Part]:
    """Every way to be right: one schema of each union, and all that always holds."""
    found: list[Part] = [[schema]]
    if "$ref" in schema:
        target: Any = root
        for step in schema["$ref"].split("/")[1:]:
            target = target[step]
        found = [[*one, *other] for one in found for other in ways(target, root)]
    for inner in schema.get("allOf", ()):
        found = [[*one, *other] for one in found for other in ways(inner, root)]
    for word in ("anyOf", "oneOf"):
        if schema.get(word):
            union = [way for inner in schema[word] for way in ways(inner, root)]
            found = [[*one, *other] for one in found for other in union]
    return found
