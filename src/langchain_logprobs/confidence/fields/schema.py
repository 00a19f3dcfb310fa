"""JSON schemas, walked to the values that are allowed at a place.

A schema here is a JSON Schema mapping, a Pydantic model class, or any type that Pydantic can describe (a Literal, an
Enum, a TypedDict). Pydantic is imported only when such a type is handed in.
"""

from __future__ import annotations

import enum
import itertools
import json
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Scalar = str | int | float | bool | None
_Branch = list[Mapping[str, Any]]

_MAX_BRANCHES: Final = 64
_MAX_STEPS: Final = 1000
_MAX_NESTING: Final = 32
"""References can go round in circles, and unions of unions multiply: beyond these a place counts as unrestricted."""

_SCHEMA_WORDS = frozenset(
    {"type", "properties", "items", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "prefixItems"}
)
_EVERY_KIND = frozenset({"string", "number", "boolean", "null", "object", "array"})
_FORMAT_TYPES = ("json_schema", "json_object", "text", "grammar", "regex")
_MAX_WRAPPINGS: Final = 8


def to_json_schema(schema: object) -> dict[str, Any] | None:
    """Return the JSON schema that a user or a request means.

    Args:
        schema: A JSON schema mapping, alone or in the wrapping of a request (`{"type": "json_schema", "json_schema":
            {"schema": ...}}`), a JSON text of one, a Pydantic model class, or a type that Pydantic can describe.

    Returns:
        The schema; None where there is none in it. Never raises.
    """
    for _ in range(_MAX_WRAPPINGS):
        if isinstance(schema, str):
            schema = _parsed(schema)
        if not isinstance(schema, Mapping):
            break
        inner = _wrapped(schema)
        if inner is None:
            known = any(word in _SCHEMA_WORDS for word in schema)
            return dict(schema) if known and schema.get("type") not in _FORMAT_TYPES else None
        schema = inner
    if schema is None or isinstance(schema, (str, int, float, bytes, Sequence, Mapping)):
        return None
    return _schema_of_type(schema)


class SchemaNode:
    """The place of a value in a schema: what may stand there, by every branch that leads to it.

    A branch is a list of schemas that all hold (a schema with its `$ref` target and its `allOf` members); `anyOf` and
    `oneOf` make several branches. Nodes are kept: a thousand items of an array share one.
    """

    __slots__ = ("_branches", "_children", "_root", "_tuple_length", "labels", "open_kinds")

    def __init__(self, root: Mapping[str, Any], branches: list[_Branch]) -> None:
        """Keep the branches and work out the allowed values."""
        self._root = root
        self._branches = branches
        self._children: dict[str | int, SchemaNode | None] = {}
        self._tuple_length = max((len(_tuple(schema)) for branch in branches for schema in branch), default=0)
        self.labels, self.open_kinds = _allowed(branches)

    @classmethod
    def of(cls, schema: object) -> SchemaNode | None:
        """Return the node of a whole document, or None where `schema` holds no JSON schema."""
        root = to_json_schema(schema)
        return None if root is None else cls(root, _branches(root, root, itertools.count()))

    def child(self, key: str | int) -> SchemaNode | None:
        """Return the node of a member or an item; None where the schema says nothing about it."""
        if isinstance(key, int):
            key = min(key, self._tuple_length)  # all items behind those that have a schema of their own are alike
        if key not in self._children:
            self._children[key] = self._find_child(key)
        return self._children[key]

    def allowed(self, kind: str) -> tuple[Scalar, ...] | None:
        """Return the values allowed here if they are a closed list for a value of this JSON type, else None."""
        return self.labels if self.labels and kind not in self.open_kinds else None

    def _find_child(self, key: str | int) -> SchemaNode | None:
        steps = itertools.count()
        found: list[_Branch] = []
        for branch in self._branches:
            # A branch that does not name the key says nothing about it: other branches of a union do.
            schemas = [sub for schema in branch if (sub := _member(schema, key)) is not None]
            if schemas:
                combined = itertools.product(*(_branches(sub, self._root, steps) for sub in schemas))
                found += [list(itertools.chain(*parts)) for parts in itertools.islice(combined, _MAX_BRANCHES)]
        return SchemaNode(self._root, found[:_MAX_BRANCHES]) if found else None


def _wrapped(schema: Mapping[str, Any]) -> object:
    """What a request's wrapping holds; None where this is no wrapping."""
    if "properties" in schema:
        return None
    for wrapping in ("json_schema", "schema", "format", "json"):
        inner = schema.get(wrapping)
        # A text is a schema as JSON, or else the "format" keyword of a schema ("date").
        if inner is not None and not (isinstance(inner, str) and not inner.lstrip().startswith("{")):
            return typing.cast(object, inner)
    return None


def _parsed(text: str) -> object:
    try:
        return typing.cast(object, json.loads(text)) if text.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        return None


def _schema_of_type(schema: Any) -> dict[str, Any] | None:
    if typing.get_origin(schema) is typing.Literal:
        return {"enum": list(typing.get_args(schema))}
    if isinstance(schema, type) and issubclass(schema, enum.Enum):
        return {"enum": [member.value for member in schema]}
    try:
        if hasattr(schema, "model_json_schema"):
            return dict(schema.model_json_schema())
        from pydantic import TypeAdapter

        return dict(TypeAdapter(schema).json_schema())
    except Exception:  # not a type that Pydantic knows, or a model that cannot be described
        return None


def _branches(schema: object, root: Mapping[str, Any], steps: Iterator[int], depth: int = 0) -> list[_Branch]:
    """Resolve references and unions. What cannot be resolved is an empty branch, which allows everything."""
    if not isinstance(schema, Mapping) or depth > _MAX_NESTING or next(steps) > _MAX_STEPS:
        return [[]] if schema is not False else []
    depth += 1
    unions: list[list[_Branch]] = [[[schema]]]
    if isinstance(schema.get("$ref"), str):
        unions.append(_branches(_resolve(root, schema["$ref"]), root, steps, depth))
    for sub in _list(schema.get("allOf")):
        unions.append(_branches(sub, root, steps, depth))
    for word in ("anyOf", "oneOf"):
        if _list(schema.get(word)):
            unions.append([branch for sub in schema[word] for branch in _branches(sub, root, steps, depth)])
    combined = itertools.islice(itertools.product(*unions), _MAX_BRANCHES)
    return [list(itertools.chain(*parts)) for parts in combined]


def _resolve(root: Mapping[str, Any], reference: str) -> object:
    if not reference.startswith("#"):
        return None
    place: object = root
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        place = place.get(name) if isinstance(place, Mapping) else None
    return place


def _member(schema: Mapping[str, Any], key: str | int) -> object:
    """The schema of one member or item, or None; `additionalProperties` and `items` stand for those not named."""
    if isinstance(key, str):
        properties = schema.get("properties")
        if isinstance(properties, Mapping) and key in properties:
            return typing.cast(object, properties[key])
        other = schema.get("additionalProperties")
    else:
        first = _tuple(schema)
        if key < len(first):
            return typing.cast(object, first[key])
        other = schema.get("items")
    return other if isinstance(other, Mapping) else None


def _tuple(schema: Mapping[str, Any]) -> Sequence[Any]:
    """The schemas of the first items of an array, one for each; in older drafts they stand under `items`."""
    return _list(schema.get("prefixItems")) or _list(schema.get("items"))


def _allowed(branches: list[_Branch]) -> tuple[tuple[Scalar, ...], frozenset[str]]:
    """The allowed values of all branches, and the JSON types that are not restricted to them."""
    labels: dict[tuple[type, Scalar], None] = {}  # the type too: True == 1, but they are two values in JSON
    open_kinds: set[str] = set()
    for branch in branches:
        listed = [_listed(schema) for schema in branch]
        lists = [values for values in listed if values is not None]
        if lists:
            for value in lists[0]:
                if isinstance(value, (str, int, float, type(None))) and all(value in other for other in lists[1:]):
                    labels[type(value), value] = None
            continue
        types = next((schema["type"] for schema in branch if "type" in schema), None)
        if types is None:
            open_kinds |= _EVERY_KIND
        for kind in [types] if isinstance(types, str) else _list(types):
            if kind == "boolean":
                labels |= {(bool, True): None, (bool, False): None}
            elif kind == "null":
                labels[type(None), None] = None
            else:
                open_kinds.add("number" if kind == "integer" else str(kind))
    return tuple(value for _, value in labels), frozenset(open_kinds)


def _listed(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if isinstance(schema.get("enum"), (list, tuple)) else None


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()
