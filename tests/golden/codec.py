"""What LangChain hands to callbacks as JSON, and back, so that a replay needs langchain-core and nothing else.

What JSON has is kept as it is. Everything else is a mapping with a tag under `$`: LangChain's own objects field for
field, an SDK's Pydantic objects as a stand-in with the same fields, errors by their type's name. What no reading of a
callback can need (a client, a lock) comes back as an Opaque that has only its text.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import langchain_core.messages
import langchain_core.outputs
import langchain_core.prompt_values
from langchain_core.messages.base import TextAccessor
from pydantic import BaseModel, ConfigDict

from .schemas import TYPES

_TAG = "$"
_HOMES = (langchain_core.messages, langchain_core.outputs, langchain_core.prompt_values)


class Opaque:
    """Something that was recorded by its text alone."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


class StandIn(BaseModel):
    """An SDK's Pydantic object: its fields, with no type checked."""

    model_config = ConfigDict(extra="allow")


def encode(value: Any) -> Any:
    """Return a value as JSON has it.

    Args:
        value: Anything that a callback gets.

    Returns:
        The same as mappings with string keys, lists, str, int, float (NaN and infinities among them), bool and None.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, enum.Enum) and isinstance(value, (str, int)):
        return encode(value.value)
    if isinstance(value, TextAccessor):
        return _tagged("TextAccessor", value=str(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, type):
        known = TYPES.get(value.__name__) is value
        return _tagged("type", name=value.__name__) if known else _opaque(value)
    if isinstance(value, Mapping):
        return _encode_mapping(value)
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, tuple):
        return _tagged("tuple", items=[encode(item) for item in value])
    if isinstance(value, (set, frozenset)):
        return _tagged("set", items=sorted((encode(item) for item in value), key=json.dumps))
    if isinstance(value, bytes):
        return _tagged("bytes", hex=value.hex())
    if isinstance(value, UUID):
        return _tagged("uuid", value=str(value))
    if isinstance(value, BaseException):
        kind = type(value)
        return _tagged("error", module=kind.__module__, name=kind.__qualname__, text=str(value))
    if isinstance(value, BaseModel):
        return _encode_model(value)
    return _opaque(value)


def _tagged(tag: str, **fields: Any) -> dict[str, Any]:
    return {_TAG: tag, **fields}


def _opaque(value: Any) -> dict[str, Any]:
    return _tagged("opaque", text=repr(value)[:500])


def _encode_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    if all(type(key) is str for key in value) and _TAG not in value:
        return {key: encode(item) for key, item in value.items()}
    return _tagged("mapping", items=[[encode(key), encode(item)] for key, item in value.items()])


def _encode_model(value: BaseModel) -> dict[str, Any]:
    fields = {**value.__dict__, **(value.__pydantic_extra__ or {})}
    if TYPES.get(type(value).__name__) is type(value):
        return _tagged("model", name=type(value).__name__, fields=encode(fields))
    # A provider's own message class is recorded as the class of LangChain's that it is made from.
    for kind in type(value).__mro__:
        home = next((home for home in _HOMES if getattr(home, kind.__name__, None) is kind), None)
        if home is not None and issubclass(kind, BaseModel):
            defaults = {name: field.get_default(call_default_factory=True) for name, field in kind.model_fields.items()}
            told = {name: item for name, item in fields.items() if name not in defaults or item != defaults[name]}
            return _tagged(kind.__name__, **({"fields": encode(told)} if told else {}))
    return _tagged("object", fields=encode(fields))


def decode(value: Any) -> Any:
    """Return what `encode` was given; new objects each time."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {key: decode(item) for key, item in value.items()}
    return _decode_tagged(value[_TAG], value)


def _decode_tagged(tag: str, value: dict[str, Any]) -> Any:
    match tag:
        case "TextAccessor":
            return TextAccessor(value["value"])
        case "type":
            return TYPES[value["name"]]
        case "model":
            return TYPES[value["name"]](**decode(value["fields"]))
        case "mapping":
            return {decode(key): decode(item) for key, item in value["items"]}
        case "tuple":
            return tuple(decode(value["items"]))
        case "set":
            return set(decode(value["items"]))
        case "bytes":
            return bytes.fromhex(value["hex"])
        case "uuid":
            return UUID(value["value"])
        case "error":
            return type(value["name"], (Exception,), {"__module__": value["module"]})(value["text"])
        case "object":
            return StandIn(**decode(value["fields"]))
        case "opaque":
            return Opaque(value["text"])
    kind = next(getattr(home, tag) for home in _HOMES if hasattr(home, tag))
    # Without the validators: the object is to be what was recorded, not what this version would make of it.
    return kind.model_construct(**decode(value.get("fields", {})))
