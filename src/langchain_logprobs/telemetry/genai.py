"""What a model call's span says by OpenTelemetry's GenAI semantic conventions (development status, semconv-genai 1.x).

Read from what LangChain hands to the callbacks; anything that is missing there is left out, never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
CONVERSATION = "gen_ai.conversation.id"
ERROR_TYPE = "error.type"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
AGENT_NAME = "gen_ai.agent.name"
WORKFLOW_NAME = "gen_ai.workflow.name"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"

# LangChain's provider names where the conventions have another; the rest are the same or have none.
_PROVIDERS = {
    "amazon_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "ibm": "ibm.watsonx.ai",
    "watsonx": "ibm.watsonx.ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
}

_REQUEST_NUMBERS = (
    ("temperature", "gen_ai.request.temperature", float),
    ("top_p", "gen_ai.request.top_p", float),
    ("top_k", "gen_ai.request.top_k", int),
    ("frequency_penalty", "gen_ai.request.frequency_penalty", float),
    ("presence_penalty", "gen_ai.request.presence_penalty", float),
    ("seed", "gen_ai.request.seed", int),
)
_MAX_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict", "max_new_tokens")


def provider_name(metadata: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Return the provider; `_OTHER`-style guesses are not made: LangChain's own word stands where there is no other."""
    name = metadata.get("ls_provider") or params.get("_type") or "unknown"
    return _PROVIDERS.get(str(name).lower(), str(name).lower())


def request_model(metadata: Mapping[str, Any], params: Mapping[str, Any]) -> str | None:
    """Return the model that was asked for, None where LangChain does not say."""
    for source, key in ((params, "model"), (params, "model_name"), (metadata, "ls_model_name"), (params, "model_id")):
        value = source.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def request_attributes(params: Mapping[str, Any], metadata: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of the request."""
    for key, name, kind in _REQUEST_NUMBERS:
        value = params.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield name, kind(value)
    for key in _MAX_TOKENS:
        if isinstance(value := params.get(key), int) and not isinstance(value, bool):
            yield "gen_ai.request.max_tokens", value
            break
    stop = params.get("stop")
    if isinstance(stop, str):
        stop = [stop]
    if isinstance(stop, (list, tuple)) and stop and all(isinstance(item, str) for item in stop):
        yield "gen_ai.request.stop_sequences", list(stop)
    if (count := choice_count(params)) > 1:
        yield "gen_ai.request.choice.count", count
    yield from conversation_attributes(metadata)


def choice_count(params: Mapping[str, Any]) -> int:
    """Return how many answers were asked for, 1 where nothing is said."""
    count = params.get("n")
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 1 else 1


def conversation_attributes(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the conversation: LangGraph's thread, or the session id that LangChain users put into the metadata."""
    for key in ("thread_id", "session_id", "conversation_id"):
        value = metadata.get(key)
        if isinstance(value, (str, int)) and value != "":
            yield CONVERSATION, str(value)
            return


def response_attributes(response: Any, generations: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield what the provider said of its answer: model, id, finish reasons, token usage."""
    llm_output = getattr(response, "llm_output", None)
    infos = [llm_output] if isinstance(llm_output, Mapping) else []
    reasons = []
    usage: dict[str, int] = {}
    for generation in generations:
        info = getattr(generation, "generation_info", None)
        message = getattr(generation, "message", None)
        metadata = getattr(message, "response_metadata", None)
        infos += [item for item in (metadata, info) if isinstance(item, Mapping)]
        reason = _first((info, metadata), ("finish_reason", "stop_reason", "done_reason"))
        if isinstance(reason, str):
            reasons.append(reason)
        _add_usage(getattr(message, "usage_metadata", None), usage)
    model = _first(infos, ("model_name", "model", "model_id"))
    if isinstance(model, str):
        yield "gen_ai.response.model", model
    response_id = _first(infos, ("id",)) or _message_id(generations)
    if isinstance(response_id, str):
        yield "gen_ai.response.id", response_id
    if reasons:
        yield "gen_ai.response.finish_reasons", reasons
    if not usage:
        _read_token_usage(infos, usage)
    for key, value in usage.items():
        yield f"gen_ai.usage.{key}", value


def _message_id(generations: Sequence[Any]) -> str | None:
    """Return a streamed answer's id: LangChain puts the provider's on the message, or makes up an `lc_run-` one."""
    message_id = getattr(getattr(generations[0], "message", None), "id", None) if generations else None
    return message_id if isinstance(message_id, str) and not message_id.startswith(("lc_", "run-")) else None


def _first(sources: Sequence[Any], keys: Sequence[str]) -> Any:
    for source in sources:
        if isinstance(source, Mapping):
            for key in keys:
                if source.get(key):
                    return source[key]
    return None


def _add_usage(usage_metadata: Any, usage: dict[str, int]) -> None:
    if not isinstance(usage_metadata, Mapping):
        return
    details_in, details_out = usage_metadata.get("input_token_details"), usage_metadata.get("output_token_details")
    for source, key, name in (
        (usage_metadata, "input_tokens", "input_tokens"),
        (usage_metadata, "output_tokens", "output_tokens"),
        (details_in, "cache_read", "cache_read.input_tokens"),
        (details_in, "cache_creation", "cache_write.input_tokens"),
        (details_out, "reasoning", "reasoning.output_tokens"),
    ):
        value = source.get(key) if isinstance(source, Mapping) else None
        if isinstance(value, int) and (value or source is usage_metadata):
            # A provider reports the usage of all choices together, and LangChain copies it to each of them.
            usage[name] = max(usage.get(name, 0), value)


def _read_token_usage(infos: Sequence[Any], usage: dict[str, int]) -> None:
    """Read the usage of completion models, which have no message to carry it."""
    tokens = _first(infos, ("token_usage", "usage"))
    for keys, name in (
        (("prompt_tokens", "input_tokens"), "input_tokens"),
        (("completion_tokens", "output_tokens"), "output_tokens"),
    ):
        value = _first([tokens], keys)
        if isinstance(value, int):
            usage[name] = value


def messages_json(messages: Sequence[Any]) -> str:
    """Return messages in the JSON form of the GenAI conventions: role and parts.

    Args:
        messages: LangChain messages, or strings (the prompts of a completion model).
    """
    return json.dumps([_message(message) for message in messages], ensure_ascii=False, default=str)


_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "system": "system", "tool": "tool"}


def _message(message: Any) -> dict[str, Any]:
    if isinstance(message, str):
        return {"role": "user", "parts": [{"type": "text", "content": message}]}
    kind = str(getattr(message, "type", "user"))
    content = getattr(message, "content", "")
    parts: list[dict[str, Any]] = []
    if kind == "tool":
        parts.append({"type": "tool_call_response", "id": getattr(message, "tool_call_id", None), "response": content})
    elif isinstance(content, str):
        if content:
            parts.append({"type": "text", "content": content})
    else:
        for block in content:
            is_text = isinstance(block, Mapping) and block.get("type") == "text"
            parts.append(
                {"type": "text", "content": block["text"]} if is_text else {"type": "generic", "content": block}
            )
    for call in getattr(message, "tool_calls", None) or ():
        parts.append({"type": "tool_call", "id": call.get("id"), "name": call["name"], "arguments": call["args"]})
    return {"role": _ROLES.get(kind, getattr(message, "role", kind)), "parts": parts}
