"""Which JSON schema does a request want its answer to follow? Read from what LangChain tells the start callbacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_logprobs.confidence.fields.schema import to_json_schema

_REQUEST_WORDS = (
    "response_format",
    "format",
    "text",
    "output_config",
    "response_json_schema",
    "response_schema",
    "guided_json",
    "structured_outputs",
)
_NESTED_PARAMS = ("invocation_params", "options", "extra_body", "model_kwargs")


def schema_from_request(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Find the JSON schema that the answer's text is to follow, in what LangChain passes to `on_chat_model_start`.

    Args:
        params: The callback's keyword arguments (with `invocation_params` and `options`), or either of these alone.

    Returns:
        The schema: from the request's own format (`response_format` and its like at other providers), else from
        LangChain's `ls_structured_output_format`. None where the answer has none, also where a tool carries the
        structure: its arguments are no text, see `tool_schemas_from_request`. Never raises.
    """
    try:
        every = list(_parameter_mappings(params))
        for mapping in every:
            for word in _REQUEST_WORDS:
                schema = to_json_schema(mapping.get(word))
                if schema is not None:
                    return schema
        for mapping in every:
            output = mapping.get("ls_structured_output_format")
            if isinstance(output, Mapping):
                settings = output.get("kwargs")
                method = settings.get("method") if isinstance(settings, Mapping) else None
                if method != "function_calling":
                    return to_json_schema(output.get("schema"))
    except Exception:  # a request can hold any object at all: one that raises when read has no schema
        return None
    return None


def tool_schemas_from_request(params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Find the JSON schema of each tool's arguments in what LangChain passes to `on_chat_model_start`.

    Args:
        params: As for `schema_from_request`.

    Returns:
        The schema of the arguments by the tool's name; tools without one are left out. Never raises.
    """
    schemas: dict[str, dict[str, Any]] = {}
    try:
        for mapping in _parameter_mappings(params):
            tools = mapping.get("tools") or mapping.get("functions")
            for tool in tools if isinstance(tools, Sequence) and not isinstance(tools, str) else ():
                inner = tool.get("function", tool) if isinstance(tool, Mapping) else None
                if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
                    continue
                for word in ("parameters", "input_schema", "parametersJsonSchema"):
                    schema = to_json_schema(inner.get(word))
                    if schema is not None:
                        schemas.setdefault(inner["name"], schema)
    except Exception:  # as above
        return schemas
    return schemas


def _parameter_mappings(params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    pending: list[Any] = [params]
    while pending:
        mapping = pending.pop(0)
        if isinstance(mapping, Mapping):
            yield mapping
            pending += [mapping.get(name) for name in _NESTED_PARAMS]
