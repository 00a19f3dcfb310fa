"""What the exception that ended a call tells of it: the answer that it carries, and whether logprobs were refused."""

from __future__ import annotations

from typing import Any


def completion_in(error: BaseException | None) -> Any:
    """Return the answer that an exception carries, as a result; None where it carries none.

    OpenAI's client raises LengthFinishReasonError and ContentFilterFinishReasonError for a structured answer that was
    cut off, before LangChain sees it; the exception holds the whole completion.
    """
    completion = getattr(error, "completion", None)
    choices = getattr(completion, "choices", None)
    if not isinstance(choices, list):
        return None
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, LLMResult

    generations = []
    for choice in choices:
        content = getattr(getattr(choice, "message", None), "content", None)
        logprobs = getattr(choice, "logprobs", None)
        info = {"finish_reason": getattr(choice, "finish_reason", None)}
        if logprobs is not None:
            info["logprobs"] = logprobs
        message = AIMessage(content if isinstance(content, str) else "", response_metadata=info)
        generations.append(ChatGeneration(message=message, generation_info=info))
    usage = getattr(completion, "usage", None)
    output = {"model_name": getattr(completion, "model", None), "id": getattr(completion, "id", None)}
    if usage is not None:
        output["token_usage"] = {
            "prompt_tokens": getattr(usage, "prompt_tokens", None),
            "completion_tokens": getattr(usage, "completion_tokens", None),
        }
    return LLMResult(generations=[list(generations)], llm_output=output)


def refuses_logprobs(error: BaseException) -> bool:
    """Tell whether a provider refused a request because it asks for logprobs."""
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    if status not in (400, 403, 422):
        return False
    try:
        return "logprobs" in str(error).lower().replace("_", "").replace(" ", "")
    except Exception:  # a class of somebody's own, whose __str__ fails
        return False
