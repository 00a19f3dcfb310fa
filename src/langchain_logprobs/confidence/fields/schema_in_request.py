"""Which JSON schema does a request want its answer to follow? Read from what LangChain tells the start callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_logprobs.confidence.fields.schema import to_json_schema
from langchain_logprobs.formats.request_places import parameter_mappings

_REQUEST_WORDS = (
    "response_format",
    "responseFormat",
    "format",
    "text",
    "output_config",
    "response_json_schema",
    "responseJsonSchema",
    "response_schema",
    "responseSchema",
    "guided_json",
    "structured_outputs",
    "json_schema",
)
_CHOICE_WORDS = ("guided_choice", "choice")
"""Where vLLM takes a list of answers, one of which the whole text is to be."""


def schema_from_request(params: Mapping[str, Any]) -> dict[str, Any] | None:
    """Find the JSON schema that the answer's text is to follow, in what LangChain passes to `on_chat_model_start`.

    Args:
        params: The callback's keyword arguments (with `invocation_params` and `options`), or either of these alone.

    Returns:
        The schema: from the request's own format (`response_format` and its like at other providers; an enumeration
        too, which Gemini takes for `text/x.enum`, and a list of choices), else from LangChain's
        `ls_structured_output_format`. None where the answer has none, also where a tool carries the structure: its
        arguments are no text, see `tool_schemas_from_request`. Never raises.
    """
    try:
        every = list(parameter_mappings(params))
        for mapping in every:
            for word in _REQUEST_WORDS:
                asked = mapping.get(word)
                schema = to_json_schema(asked) or _choices(asked)
                if schema is not None:
                    return schema
            if (schema := _choices(mapping)) is not None:
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
        for mapping in parameter_mappings(params):
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


def _choices(mapping: Any) -> dict[str, Any] | None:
    """The closed list of whole answers that a request asks for."""
    for word in _CHOICE_WORDS if isinstance(mapping, Mapping) else ():
        choices = mapping.get(word)
        if isinstance(choices, (list, tuple)) and choices and all(isinstance(choice, str) for choice in choices):
            return {"enum": list(choices)}
    return None
