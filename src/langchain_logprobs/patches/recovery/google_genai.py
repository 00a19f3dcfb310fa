"""langchain-google-genai: Gemini's `logprobs_result` and `avg_logprobs` are never read.

One module function converts every response, whole or streamed, sync and async.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from langchain_logprobs.patches.patching import Patch, Replacement, after, keep


def _replacements() -> Iterable[Replacement]:
    module = importlib.import_module("langchain_google_genai.chat_models")
    yield Replacement(module, "_response_to_result", after(PATCH.integration, _add_to_result))


def _add_to_result(result: Any, response: Any, /, stream: bool = False, *_: Any, **__: Any) -> None:
    for generation, candidate in zip(result.generations, response.candidates or (), strict=False):
        # Not in a stream: LangChain cannot merge two floats, and would raise into the user's call if a second chunk
        # brought another average.
        if not stream and candidate.avg_logprobs is not None:
            info = generation.generation_info or {}
            generation.generation_info = {"avg_logprobs": candidate.avg_logprobs, **info}
        keep(generation, {"content": _entries(candidate.logprobs_result)})


def _entries(result: Any) -> list[Any]:
    chosen = (result.chosen_candidates if result else None) or ()
    top = (result.top_candidates if result else None) or ()
    return [
        {
            **_entry(token),
            "top_logprobs": [_entry(each) for each in (top[at].candidates if at < len(top) else ()) or ()],
        }
        for at, token in enumerate(chosen)
    ]


def _entry(candidate: Any) -> dict[str, Any]:
    return {"token": candidate.token or "", "logprob": candidate.log_probability}


PATCH = Patch(
    integration="google_genai",
    distribution="langchain-google-genai",
    first="4.0.0",
    below="4.5",
    replacements=_replacements,
    models=frozenset({"ChatGoogleGenerativeAI"}),
)
