"""JSON schemas, walked to the values that are allowed at a place.

A schema here is a JSON Schema mapping, a Pydantic model class, or any type that Pydantic can describe (a Literal, an
Enum, a TypedDict). Pydantic is imported only when such a type is handed in.
"""

from __future__ import annotations

import enum
import itertools
import json
import math
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from langchain_logprobs.confidence.fields.json_pointer import unescape
from langchain_logprobs.confidence.fields.json_scan import Kind
from langchain_logprobs.confidence.fields.labels import LabelIndex, Scalar, kind_of_label

_Branch = list[Mapping[str, Any]]

_EVERYTHING: Final[list[_Branch]] = [[]]
"""The branches of a place that is not restricted."""

_MAX_BRANCHES: Final = 1000
_MAX_STEPS: Final = 5000
_MAX_NESTING: Final = 32
"""References can go round in circles, and unions of unions multiply: beyond these a place counts as unrestricted."""

_SCHEMA_WORDS = frozenset(
    {"type", "properties", "items", "enum", "const", "anyOf", "oneOf", "allOf", "$ref", "$defs", "prefixItems"}
)
_LABEL_WORDS = frozenset({"const", "enum", "type", "title", "description"})
_KINDS: dict[str, Kind] = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
    "object": "object",
    "array": "array",
}
EVERY_KIND: Final[frozenset[Kind]] = frozenset(_KINDS.values())
_OTHER_KEY: Final = -1
"""Under this the node of all keys that the schema does not name is kept."""
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
    if not isinstance(schema, type) and callable(dump := getattr(schema, "model_dump", None)):
        # An object that holds a schema, such as google.genai's types.Schema; its class describes something else.
        return to_json_schema(dump(exclude_none=True, mode="json"))
    return _schema_of_type(schema)


class SchemaNode:
    """The place of a value in a schema: what may stand there, by every branch that leads to it.

    A branch is a list of schemas that all hold (a schema with its `$ref` target and its `allOf` members); `anyOf` and
    `oneOf` make several branches. Nodes are kept: a thousand items of an array share one.
    """

    __slots__ = (
        "_branches",
        "_children",
        "_indexes",
        "_names",
        "_root",
        "_tuple_length",
        "labels",
        "open_kinds",
    )

    def __init__(self, root: Mapping[str, Any], branches: list[_Branch]) -> None:
        """Keep the branches and work out the allowed values."""
        self._root = root
        self._branches = branches
        self._children: dict[str | int, SchemaNode | None] = {}
        self._indexes: dict[bool, LabelIndex] = {}
        schemas = [schema for branch in branches for schema in branch]
        self._tuple_length = max((len(_tuple(schema)) for schema in schemas), default=0)
        self._names = {name for schema in schemas for name in _properties(schema)}
        self.labels: tuple[Scalar, ...]
        self.open_kinds: frozenset[Kind]
        self.labels, self.open_kinds = _allowed(branches)

    @classmethod
    def of(cls, schema: object) -> SchemaNode | None:
        """Return the node of a whole document, or None where `schema` holds no JSON schema."""
        root = to_json_schema(schema)
        return None if root is None else cls(root, _branches(root, root, itertools.count()))

    def child(self, key: str | int) -> SchemaNode | None:
        """Return the node of a member or an item; None where the schema says nothing about it."""
        kept = key
        if isinstance(key, int):
            kept = min(key, self._tuple_length)  # all items behind those that have a schema of their own are alike
        elif key not in self._names:
            kept = _OTHER_KEY
        if kept not in self._children:
            self._children[kept] = self._find_child(key)
        return self._children[kept]

    def names(self, key: str) -> bool:
        """Tell whether the schema itself names this member, and does not only allow keys of any name."""
        return key in self._names

    def allowed(self, kind: str) -> tuple[Scalar, ...] | None:
        """Return the values allowed here if they are a closed list for a value of this JSON type, else None."""
        return self.labels if self.labels and kind not in self.open_kinds else None

    def index(self, *, bare: bool = False) -> LabelIndex:
        """Return the allowed values that are listed, sorted; made once for all the values that are at this place.

        Those of a type of which every value is allowed are left out.

        Args:
            bare: Whether strings stand without their quotes.
        """
        if bare not in self._indexes:
            listed = [label for label in self.labels if kind_of_label(label) not in self.open_kinds]
            self._indexes[bare] = LabelIndex(listed, bare=bare)
        return self._indexes[bare]

    @property
    def is_choice(self) -> bool:
        """Whether there is something to tell apart here: listed values, or several types (but not all)."""
        closed = any(kind_of_label(label) not in self.open_kinds for label in self.labels)
        return self.open_kinds != EVERY_KIND and (closed or len(self.open_kinds) > 1)

    def takes(self, kind: str) -> bool:
        """Return whether values of a JSON type are allowed here."""
        return kind in self.open_kinds or any(kind_of_label(label) == kind for label in self.labels)

    def fits(self, kind: str, keys: Collection[str | int], *, complete: bool = True) -> bool:
        """Return whether a document looks as if it followed this schema: by its type, and an object by its keys.

        Args:
            kind: The document's JSON type.
            keys: The keys or indices of its members.
            complete: Whether these are all of them.
        """
        return self.takes(kind) and (kind != "object" or any(_has_keys(one, keys, complete) for one in self._branches))

    def _find_child(self, key: str | int) -> SchemaNode | None:
        steps = itertools.count()
        found: list[_Branch] = []
        for branch in self._branches:
            # A branch that does not name the key says nothing about it: other branches of a union do.
            schemas = [sub for schema in branch if (sub := _member(schema, key)) is not None]
            if schemas:
                found += _combined([_branches(sub, self._root, steps) for sub in schemas])
        if len(found) > _MAX_BRANCHES:
            found = _EVERYTHING
        return SchemaNode(self._root, found) if found else None


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
        if subs := _list(schema.get(word)):
            labels = [sub for sub in subs if isinstance(sub, Mapping) and _is_label(sub)]
            union: list[_Branch] = (
                [[{"enum": [value for sub in labels for value in _listed(sub) or ()]}]] if labels else []
            )
            # One branch for all that only list values, however many they are.
            union += [
                branch
                for sub in subs
                if not (isinstance(sub, Mapping) and _is_label(sub))
                for branch in _branches(sub, root, steps, depth)
            ]
            unions.append(union)
    return _combined(unions)


def _combined(unions: list[list[_Branch]]) -> list[_Branch]:
    """Combine a branch of each union in every way; too many of them are no restriction at all."""
    if math.prod(map(len, unions)) > _MAX_BRANCHES:
        return _EVERYTHING
    return [list(itertools.chain(*parts)) for parts in itertools.product(*unions)]


def _is_label(schema: Mapping[str, Any]) -> bool:
    """Whether a schema does nothing but list values."""
    return schema.keys() <= _LABEL_WORDS and _listed(schema) is not None


def _has_keys(branch: _Branch, keys: Collection[str | int], complete: bool) -> bool:
    required = {name for schema in branch for name in _list(schema.get("required")) if isinstance(name, str)}
    if required and complete:
        return required.issubset(keys)
    named = {name for schema in branch for name in _properties(schema)}
    return not named or any(key in named for key in keys) or (complete and not keys)


def _properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _resolve(root: Mapping[str, Any], reference: str) -> object:
    if not reference.startswith("#"):
        return None
    place: object = root
    for part in reference[1:].split("/")[1:]:
        place = place.get(unescape(part)) if isinstance(place, Mapping) else None
    return place


def _member(schema: Mapping[str, Any], key: str | int) -> object:
    """The schema of one member or item, or None; `additionalProperties` and `items` stand for those not named."""
    if isinstance(key, str):
        properties = _properties(schema)
        if key in properties:
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


def _allowed(branches: list[_Branch]) -> tuple[tuple[Scalar, ...], frozenset[Kind]]:
    """The allowed values of all branches, and the JSON types that are not restricted to them."""
    # By value and not by Python's equality: True == 1, but they are two values in JSON.
    labels: dict[tuple[bool, Scalar], None] = {}
    open_kinds: set[Kind] = set()
    for branch in branches:
        lists = [values for schema in branch if (values := _listed(schema)) is not None]
        if lists:
            others = [{_identity(value) for value in other if _is_scalar(value)} for other in lists[1:]]
            for value in lists[0]:
                if _is_scalar(value) and all(_identity(value) in other for other in others):
                    labels[_identity(value)] = None
                elif isinstance(value, (list, tuple, Mapping)):
                    open_kinds.add("object" if isinstance(value, Mapping) else "array")
            continue
        types = next((schema["type"] for schema in branch if "type" in schema), None)
        if types is None:
            open_kinds |= EVERY_KIND
        for word in [types] if isinstance(types, str) else _list(types):
            kind = _KINDS.get(str(word).lower())  # Gemini spells them in capitals
            if kind == "boolean":
                labels |= {(True, True): None, (True, False): None}
            elif kind == "null":
                labels[False, None] = None
            elif kind is not None:
                open_kinds.add(kind)
    if any(schema.get("nullable") is True for branch in branches for schema in branch):  # OpenAPI, and so Gemini
        labels[False, None] = None
    return tuple(value for _, value in labels), frozenset(open_kinds)


def _is_scalar(value: object) -> bool:
    return isinstance(value, (str, int, float, type(None)))


def _identity(value: Scalar) -> tuple[bool, Scalar]:
    return isinstance(value, bool), value


def _listed(schema: Mapping[str, Any]) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if isinstance(schema.get("enum"), (list, tuple)) else None


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()
