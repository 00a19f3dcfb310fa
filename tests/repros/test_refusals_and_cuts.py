"""Families K and N, truth F9: an answer that an exception carries, and requests that are refused for their logprobs."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from openai import OpenAIError
from pydantic import BaseModel

from tests.providers import making
from tests.providers.wire import Body, WireServer, json_body
from tests.support import Traced, completion, entry, openai_answer

CUT = [entry('{"amount":', -0.01), entry(" 4", -0.5, (" 5", -1.0)), entry(', "to', -0.01)]
LANGUAGES = {"english": CUT, "korean": [entry('{"to":"', -0.01), entry("서울", -0.9), entry("시", -0.2)], "nothing": []}
PATHS = ("invoke", "ainvoke")


class Payment(BaseModel):
    """What is paid."""

    amount: int
    to: str


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


def fail(wire: WireServer, path: str, model: Any = None, **settings: Any) -> tuple[dict[str, Any], BaseException]:
    """Call a model that fails; what its span says, and the error."""
    traced = Traced()
    chat = model or ChatOpenAI(**{**making.openai_like(wire.url), "logprobs": True, "top_logprobs": 2, **settings})
    calls: dict[str, Callable[[], Any]] = {
        "invoke": lambda: chat.invoke("q", config=traced.config),
        "ainvoke": lambda: asyncio.run(chat.ainvoke("q", config=traced.config)),
        "stream": lambda: list(chat.stream("q", config=traced.config)),
    }
    with pytest.raises((OpenAIError, ValueError)) as caught:
        calls[path]()
    (span,) = [span for span in traced.spans if "logprobs.status" in (span.attributes or {})]
    return dict(span.attributes or {}), caught.value


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("finish", "error"), [("length", "LengthFinishReasonError"), ("content_filter", "ContentFilterFinishReasonError")]
)
def test_an_answer_that_was_cut_off_is_read_out_of_the_exception(
    wire: WireServer, path: str, finish: str, error: str, language: str
) -> None:
    wire.answer("*", json_body(completion(LANGUAGES[language], finish_reason=finish)))
    made = ChatOpenAI(**{**making.openai_like(wire.url), "logprobs": True}).with_structured_output(Payment)
    said, raised = fail(wire, path, made)
    assert type(raised).__name__ == error
    assert said["logprobs.status"] == "partial"
    assert said["logprobs.status.reason"] == f"ended early by {error}"
    if "completion" not in inspect.signature(type(raised)).parameters:
        return  # the oldest openai hands nothing over with its ContentFilterFinishReasonError
    assert said["gen_ai.response.finish_reasons"] == (finish,)
    if language == "nothing":
        assert said.get("logprobs.token.count", 0) == 0
        return
    assert said["logprobs.token.count"] == 3
    assert said["gen_ai.usage.output_tokens"] == 3
    assert said["logprobs.fields.status"] == "truncated"
    path_of, least = ("/amount", -0.5) if language == "english" else ("/to", -1.1)
    assert said["logprobs.fields.paths"] == (path_of,)
    assert said["logprobs.fields.confidences"][0] <= math.exp(least) + 1e-9


def test_several_answers_in_an_exception(wire: WireServer) -> None:
    whole = completion(CUT, finish_reason="length")
    whole["choices"].append({**completion([entry("{}", -2.0)])["choices"][0], "index": 1})
    wire.answer("*", json_body(whole))
    made = ChatOpenAI(**{**making.openai_like(wire.url), "logprobs": True, "n": 2}).with_structured_output(Payment)
    assert fail(wire, "invoke", made)[0]["logprobs.token.count"] == 4


def test_the_same_streamed(wire: WireServer) -> None:
    wire.answer("*", openai_answer(CUT))
    traced = Traced()
    made = ChatOpenAI(**{**making.openai_like(wire.url), "logprobs": True}).with_structured_output(Payment)
    with pytest.raises((OpenAIError, ValueError)):
        list(made.stream("q", config=traced.config))
    said = traced.call.attributes or {}
    assert (said["logprobs.token.count"], said["logprobs.fields.status"]) == (3, "truncated")


def refusal(status: int, message: str) -> Body:
    return json_body({"error": {"message": message, "type": "invalid_request_error", "code": None}}, status=status)


@pytest.mark.parametrize("path", [*PATHS, "stream"])
@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, "You are not allowed to request logprobs from this model"),
        (400, "Logprobs is not enabled for models/gemini-2.5-pro"),
        (400, "'logprobs' is not supported with this model"),
        (400, "logprobs is not supported for reasoning models (o1)"),
        (400, "Unsupported parameter: 'top_logprobs' is not supported with this model."),
        (422, "property 'log_probs' is not allowed"),
        (400, "Unrecognized request argument supplied: logprobs"),
    ],
)
def test_a_request_that_is_refused_for_its_logprobs_is_missing_them(
    wire: WireServer, path: str, status: int, message: str
) -> None:
    wire.answer("*", refusal(status, message))
    said, _ = fail(wire, path, max_retries=0)
    assert said["logprobs.status"] == "missing"
    assert said["logprobs.status.reason"] == "the provider refuses logprobs for this model: leave the flag out"


def test_azure_refuses_in_the_same_way(wire: WireServer) -> None:
    wire.answer("*", refusal(400, "logprobs, top_logprobs are not supported for this deployment"))
    said, _ = fail(wire, "invoke", AzureChatOpenAI(**{**making.azure(wire.url), "logprobs": True, "max_retries": 0}))
    assert said["logprobs.status"] == "missing"


@pytest.mark.parametrize(
    ("status", "message"),
    [(400, "context too long"), (401, "bad key for logprobs"), (429, "logprobs: slow down"), (500, "logprobs crashed")],
)
def test_other_errors_are_no_refusal(wire: WireServer, status: int, message: str) -> None:
    wire.answer("*", refusal(status, message))
    said, _ = fail(wire, "invoke", max_retries=0)
    assert "refuses" not in said["logprobs.status.reason"]


def test_nobody_asked_and_the_request_failed(wire: WireServer) -> None:
    wire.answer("*", refusal(400, "context too long"))
    said, _ = fail(wire, "invoke", logprobs=None, top_logprobs=None, max_retries=0)
    assert said["logprobs.status"] == "not_requested"
