"""What the exception of a failed request says: its HTTP status, and whether it is about logprobs."""

from __future__ import annotations

from typing import Any

_MOST = 5


def status_in(error: BaseException) -> int | None:
    """Return the HTTP status of a failure; None where it has none.

    SDKs call it differently, and LangChain's classes wrap theirs in exceptions of their own.
    """
    for each in _chain(error):
        response = getattr(each, "response", None)
        if isinstance(response, dict):  # AWS
            response = response.get("ResponseMetadata") or {}
        found = _status(response) or _status(each)
        if found is not None:
            return found
    return None


def _status(source: Any) -> int | None:
    # `code` last: aiohttp warns of it.
    for name in ("status_code", "HTTPStatusCode", "http_status", "status", "code"):
        value = source.get(name) if isinstance(source, dict) else getattr(source, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
            return int(value)
    return None


def speaks_of_logprobs(error: BaseException) -> bool:
    """Tell whether a failure, or one that it comes from, names logprobs."""
    for each in _chain(error):
        try:
            text = str(each).lower()
        except Exception:  # a class of somebody's own, whose __str__ fails
            continue
        if "logprobs" in text.replace("_", "").replace(" ", "").replace("-", ""):
            return True
    return False


def refuses_logprobs(error: BaseException) -> bool:
    """Tell whether a provider refused a request because it asks for logprobs."""
    return status_in(error) in (400, 403, 422) and speaks_of_logprobs(error)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and len(found) < _MOST:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
