"""Where a request keeps its parameters: at its top, and in the mappings that integrations nest them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

NESTED_PARAMETERS: Final = (
    "invocation_params",  # LangChain's start callbacks
    "options",
    "model_kwargs",
    "extra_body",
    "generation_config",  # Gemini, in both spellings
    "generationConfig",
    "additional_model_request_fields",  # Bedrock Converse, in both spellings
    "additionalModelRequestFields",
)
"""The names under which parameters of a request are nested."""

_MAX_MAPPINGS: Final = 100


def parameter_mappings(params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a request's parameters and every mapping that is nested in them, the outer ones first.

    Args:
        params: What LangChain passes to a start callback as keyword arguments, or a part of it.

    Yields:
        Each mapping once, also where one holds itself; 100 at most.

    Example:
        >>> [*parameter_mappings({"model_kwargs": {"extra_body": {"n_probs": 3}}})][-1]
        {'n_probs': 3}
    """
    pending: list[object] = [params]
    seen: set[int] = set()
    while pending and len(seen) < _MAX_MAPPINGS:
        mapping = pending.pop(0)
        if isinstance(mapping, Mapping) and id(mapping) not in seen:
            seen.add(id(mapping))
            yield mapping
            pending += [mapping.get(name) for name in NESTED_PARAMETERS]
