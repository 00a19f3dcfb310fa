"""Answers of OpenAI's Responses API come without the logprobs that were asked for.

For `langchain-ai/langchain` (langchain-openai, #36211).

Symptom: `ChatOpenAI(include=["message.output_text.logprobs"], top_logprobs=5)` sends the request, the client's
objects hold the logprobs, and the message has none: whole, streamed, structured, and for every `output_version`.

Cause: `_construct_lc_result_from_responses_api` and `_convert_responses_chunk_to_generation_chunk` copy text,
annotations and ids.

Fix, in langchain_openai/chat_models/base.py, of the first (of the second likewise, from the text deltas' `logprobs`):

                 if content.type == "output_text":
    +                if content.logprobs:
    +                    logprobs = response_metadata.setdefault("logprobs", {"content": []})
    +                    logprobs["content"] += [each.model_dump() for each in content.logprobs]
                     block = {

Here: `recover_dropped_logprobs("openai_responses")` wraps both functions. Once a release has the fix, raise `below`
of its PATCH no further, and let the table of tests/providers say `recorded`.
"""

from __future__ import annotations

from langchain_openai.chat_models.base import _construct_lc_result_from_responses_api
from openai.types.responses import Response


def fault() -> str | None:
    """Return what is wrong; None where it is not."""
    logprob = {"token": "Yes", "bytes": [89, 101, 115], "logprob": -0.1, "top_logprobs": []}
    text = {"type": "output_text", "text": "Yes", "annotations": [], "logprobs": [logprob]}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [text]}
    response = Response.model_validate({
        "id": "r",
        "created_at": 1,
        "model": "gpt-4o",
        "object": "response",
        "output": [message],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
    })  # fmt: skip
    (generation,) = _construct_lc_result_from_responses_api(response).generations
    kept = "logprobs" in (generation.generation_info or {}) or "logprobs" in generation.message.response_metadata
    return None if kept else f"the message has only {sorted(generation.message.response_metadata)}"


if __name__ == "__main__":
    print(fault() or "right")
