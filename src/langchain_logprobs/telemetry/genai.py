"""What a model call's span says by OpenTelemetry's GenAI semantic conventions (development status, semconv-genai 1.x).

Read from what LangChain hands to the callbacks; anything that is missing there is left out, never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from langchain_logprobs.telemetry import names

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
    ("temperature", names.REQUEST_TEMPERATURE, float),
    ("top_p", names.REQUEST_TOP_P, float),
    ("top_k", names.REQUEST_TOP_K, float),
    ("frequency_penalty", names.REQUEST_FREQUENCY_PENALTY, float),
    ("presence_penalty", names.REQUEST_PRESENCE_PENALTY, float),
    ("seed", names.REQUEST_SEED, int),
)
_MAX_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict", "max_new_tokens")

_ADDRESSES = (
    "base_url",
    "openai_api_base",
    "azure_endpoint",
    "endpoint_url",
    "api_base",
    "groq_api_base",
    "fireworks_api_base",
    "endpoint",
)
_ADDRESS_IN_REPR = re.compile(rf"\b(?:{'|'.join(_ADDRESSES)})='(https?://[^']+)'")


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
    """Yield the parameters of the request, but for the stop sequences: they are text, and written when it ends."""
    for key, name, kind in _REQUEST_NUMBERS:
        value = params.get(key)
        if is_number(value) and is_number(kind(value)):  # a float of 1e300 is a number, and no int of 64 bits
            yield name, kind(value)
    for key in _MAX_TOKENS:
        if isinstance(value := params.get(key), int) and is_number(value):
            yield names.REQUEST_MAX_TOKENS, value
            break
    count = params.get("n")
    if isinstance(count, int) and is_number(count) and count > 1:
        yield names.REQUEST_CHOICE_COUNT, count
    yield from conversation_attributes(metadata)


def server_attributes(serialized: object, params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the host and port of the model's server, where the model was given its address.

    Args:
        serialized: What LangChain says of the model's constructor: its arguments, or of a model that it cannot
            serialize the repr.
        params: The request's parameters.
    """
    made = serialized if isinstance(serialized, Mapping) else {}
    arguments = made.get("kwargs")
    address = _first((params, arguments), _ADDRESSES)
    if not isinstance(address, str) and isinstance(shown := made.get("repr"), str):
        found = _ADDRESS_IN_REPR.search(shown)
        address = None if found is None else found[1]
    try:
        split = urlsplit(address) if isinstance(address, str) else None
        host, port = (None, None) if split is None else (split.hostname, split.port)
    except ValueError:  # no address after all
        return
    if host:
        yield names.SERVER_ADDRESS, host
        if port is not None:
            yield names.SERVER_PORT, port


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a value is a number that a span can carry: finite, and in 64 bits where it is an integer."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) if isinstance(value, float) else _fits(value)


def _fits(value: int) -> bool:
    return not isinstance(value, bool) and -(2**63) <= value < 2**63


def conversation_attributes(metadata: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the conversation: LangGraph's thread, or the session id that LangChain users put into the metadata."""
    for key in ("thread_id", "session_id", "conversation_id"):
        value = metadata.get(key)
        if isinstance(value, (str, int)) and value != "":
            yield names.CONVERSATION, str(value)
            return


def response_attributes(
    response: Any, generations: Sequence[Any], *, cached: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield what the provider said of its answer: model, id, finish reasons, token usage.

    Args:
        response: The result that LangChain reports.
        generations: Its answers.
        cached: Whether it came out of LangChain's cache: its tokens were used when it was made, not again.
    """
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
        yield names.RESPONSE_MODEL, model
    response_id = _first(infos, ("id",)) or _message_id(generations)
    if isinstance(response_id, str):
        yield names.RESPONSE_ID, response_id
    if reasons:
        yield names.FINISH_REASONS, reasons
    if cached:
        return
    if not usage:
        _read_token_usage(infos, usage)
    for key, value in usage.items():
        yield names.USAGE + key, value


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
        if isinstance(value, int) and _fits(value) and (value or source is usage_metadata):
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
        if isinstance(value, int) and _fits(value):
            usage[name] = value
