"""What the program is handed of a model call that has ended."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from langchain_logprobs.confidence.report import ConfidenceReport

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext


tentative: ContextVar[bool] = ContextVar("langchain_logprobs_tentative", default=False)
"""Whether the answers of the calls that start now may be replaced by those of others (`agents/`)."""


class ModelCall(NamedTuple):
    """A model call that has ended.

    Attributes:
        run_id: Its run id, by which LangSmith knows it too.
        span_context: The context of its span, whose `trace_id` and `span_id` scores and links need; None where no
            handler writes a span of it.
        class_name: The model's class; empty where it is unknown.
        report: How sure the model was. It knows the schema of the request.

    Example:
        >>> from langchain_logprobs import LogprobsCallbackHandler, ModelCall
        >>> def review(call: ModelCall) -> None:
        ...     if call.report.level == "low":
        ...         print("to be checked:", call.run_id, call.report.text)
        >>> handler = LogprobsCallbackHandler(on_call=review)
    """

    run_id: UUID
    span_context: SpanContext | None
    class_name: str
    report: ConfidenceReport
