"""What goes out of a field's path where text is not captured: the keys of the request's schema, and no others."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from langchain_logprobs import Settings
from tests.repros.calls import Scripted, entries
from tests.support import Traced

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "rooms": {"type": "array", "items": {"type": "object", "properties": {"beds": {"type": "integer"}}}},
        "more": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def paths_of(text: str, message: AIMessage | None = None, **request: Any) -> tuple[Any, str]:
    traced = Traced(Settings(capture_text=False))
    model = Scripted(
        message=message or AIMessage(text), info={"logprobs": {"content": entries([(text, -0.5)])}}, chunks=[]
    )
    model.bind(**request).invoke("CANARY", config=traced.config)
    return traced.call.attributes.get("logprobs.fields.paths"), traced.call.to_json()


@pytest.mark.parametrize(
    ("text", "schema", "paths"),
    [
        ('{"CANARY": {"CANARY2": "v"}}', None, ("/*/*",)),
        ('{"city": "CANARY", "CANARY": 1}', SCHEMA, ("/city", "/*")),
        ('{"rooms": [{"beds": 2}, {"CANARY": 3}]}', SCHEMA, ("/rooms/0/beds", "/rooms/1/*")),
        ('{"more": {"CANARY": "x"}}', SCHEMA, ("/more/*",)),
        ('{"5551234": 1}', None, ("/*",)),
        ('[{"CANARY": 1}]', None, ("/0/*",)),
        ('{"a/b~CANARY": 1}', None, ("/*",)),
    ],
)
def test_only_keys_of_the_schema_are_shown(text: str, schema: Any, paths: tuple[str, ...]) -> None:
    format_ = (
        {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}} if schema else {"type": "json_object"}
    )
    found, everything = paths_of(text, response_format=format_)
    assert found == paths
    assert "CANARY" not in everything


def test_a_made_up_tool_and_its_arguments_are_hidden() -> None:
    text = '{"name": "CANARY_TOOL", "arguments": {"CANARY_KEY": 1}}'
    calls = [{"name": "CANARY_TOOL", "args": {"CANARY_KEY": 1}, "id": "1", "type": "tool_call"}]
    found, everything = paths_of(text, AIMessage("", tool_calls=calls))
    assert found == ("/tool_calls/0/*/*",)
    assert "CANARY" not in everything


def test_a_tool_of_the_request_is_shown() -> None:
    text = '{"name": "pay", "arguments": {"amount": 9, "CANARY": 1}}'
    calls = [{"name": "pay", "args": {"amount": 9, "CANARY": 1}, "id": "1", "type": "tool_call"}]
    parameters = {"type": "object", "properties": {"amount": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": "pay", "parameters": parameters}}]
    found, everything = paths_of(text, AIMessage("", tool_calls=calls), tools=tools)
    assert found == ("/tool_calls/0/pay/amount", "/tool_calls/0/pay/*")
    assert "CANARY" not in everything
