"""Has the user decided about logprobs? Then nothing is asked, whatever they decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_logprobs.capture.asked import RESPONSES_INCLUDE
from langchain_logprobs.formats.request_places import parameter_mappings

_FLAGS = frozenset({"logprobs", "top_logprobs", "response_logprobs", "responseLogprobs", "return_logprobs", "n_probs"})


def user_has_decided(model: Any, given: Mapping[str, Any]) -> bool:
    """Tell whether a user has said anything about logprobs, False included.

    Args:
        model: The model. What counts of it are the arguments that its constructor was given, not their defaults.
        given: The keyword arguments of the call, bound ones among them.
    """
    names = getattr(model, "model_fields_set", ())
    return _decides(given) or _decides({name: getattr(model, name, None) for name in names})


def _decides(params: Mapping[str, Any]) -> bool:
    for mapping in parameter_mappings(params):
        if any(mapping.get(name) is not None for name in _FLAGS.intersection(mapping)):
            return True
        include = mapping.get("include")
        if isinstance(include, (list, tuple)) and RESPONSES_INCLUDE in include:
            return True
    return False
