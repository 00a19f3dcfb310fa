"""What the span says where logprobs are missing: true of the class that was called, and with a cure that works."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from tests.providers import answers, making
from tests.providers.row import load
from tests.providers.wire import Answer, Body, Request, WireServer, json_body, ndjson, sse
from tests.support import Traced

pytestmark = pytest.mark.filterwarnings(
    "ignore:.* is in beta",
    "ignore:Inheritance class .* is discouraged:DeprecationWarning",
    "ignore:Item .* is using the `ReadOnly` qualifier:UserWarning",
    "ignore:Accessing the 'model_.*fields' attribute on the instance:DeprecationWarning",
    "ignore:`langchain-community` is being sunset:DeprecationWarning",
    "ignore:.*WARNING! .* is not default parameter:UserWarning",
    "ignore:Parameters .* should be specified explicitly:UserWarning",
)
PLAIN = {"logprobs": True}
KWARGS = {"model_kwargs": {"logprobs": True}}
NONE_CAME = "none reached LangChain's callbacks"
A_CALL, DROPPED = "the answer is a tool call", "drops the logprobs that it receives"
NOT_SENT = "does not send its constructor's logprobs flag"


def without(answer: Answer) -> Answer:
    """The same answer of a server that has no logprobs, whatever it is asked."""

    def answer_without(request: Request) -> Body:
        return answer(unasked(request)) if callable(answer) else answer

    return answer_without


def unasked(request: Request) -> Request:
    """The request as if it asked for no logprobs."""
    body = request.body.replace(b"logprobs", b"nothing").replace(b"Logprobs", b"Nothing")
    return Request(request.method, request.path, request.query, request.headers, body)


def tool_call(request: Request) -> Body:
    """A tool call, for whose tokens OpenAI sends no logprobs."""
    called = {"id": "c", "index": 0, "type": "function", "function": {"name": "pay", "arguments": '{"amount": 900}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [called]}
    choice = {"index": 0, "finish_reason": "tool_calls", "logprobs": None}
    whole: dict[str, Any] = {"id": "1", "created": 1, "model": "m", "object": "chat.completion", "usage": answers.USAGE}
    if request.json.get("stream"):
        return sse([{**whole, "object": "chat.completion.chunk", "choices": [{**choice, "delta": message}]}])
    return json_body({**whole, "choices": [{**choice, "message": message}]})


def ollama_tool_call(request: Request) -> Body:
    """Ollama's: it sends none either."""
    called = [{"function": {"name": "pay", "arguments": {"amount": 900}}}]
    message = {"role": "assistant", "content": "", "tool_calls": called}
    return ndjson([{"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": True,
                    "done_reason": "stop", "prompt_eval_count": 2, "eval_count": 3}])  # fmt: skip


class Case(NamedTuple):
    """A call whose logprobs do not come.

    Attributes:
        of: Where the class is imported from.
        name: The class.
        arguments: What it is made with.
        bound: What is bound to it.
        serve: What the server answers.
        paths: The ways to call it.
        says: What the reason says.
        recovered: The integration that was recovered before the call.
    """

    of: str
    name: str
    at: Any
    serve: Answer
    says: str
    arguments: Mapping[str, Any] = MappingProxyType({})
    bound: Mapping[str, Any] = MappingProxyType({})
    paths: tuple[str, ...] = ("invoke", "astream")
    recovered: str | None = None


OPENAI, NONE = answers.chat(), without(answers.chat())
LITELLM, OLLAMA = (
    ("langchain_litellm", "ChatLiteLLM", making.litellm),
    ("langchain_ollama", "ChatOllama", making.ollama),
)
GROQ = ("langchain_groq", "ChatGroq", making.plain)
MISTRAL = ("langchain_mistralai", "ChatMistralAI", making.openai_like)
HUGGING_FACE = ("langchain_huggingface", "ChatHuggingFace", making.huggingface)
COHERE = ("langchain_cohere", "ChatCohere", making.cohere)
GOOGLE_ASKS = {"response_logprobs": True, "logprobs": 2}
GOOGLE = ("langchain_google_genai", "ChatGoogleGenerativeAI", making.google)
CHAT_OPENAI = ("langchain_openai", "ChatOpenAI", making.openai_like)
STREAMED, INVOKED = ("stream", "astream"), ("invoke", "ainvoke")
CASES = (
    # Family F/G, as it was reported.
    Case(*LITELLM, OPENAI, 'recover_dropped_logprobs("litellm")', KWARGS, paths=STREAMED),
    Case(*LITELLM, NONE, NONE_CAME, KWARGS, paths=INVOKED),
    Case(*OLLAMA, without(answers.ollama), NONE_CAME, PLAIN),
    Case(*OLLAMA, ollama_tool_call, A_CALL, PLAIN),
    Case(*OLLAMA, without(answers.ollama), NONE_CAME, PLAIN, recovered="ollama"),
    Case(*GROQ, NONE, NONE_CAME, KWARGS),
    Case(*MISTRAL, OPENAI, DROPPED, {}, PLAIN),
    Case(*GOOGLE, answers.gemini, "use .bind(response_logprobs=True, logprobs=5)", GOOGLE_ASKS),
    # The same kind of fault elsewhere.
    Case(*LITELLM, NONE, NONE_CAME, {}, PLAIN, INVOKED, "litellm"),
    Case(*LITELLM, OPENAI, 'recover_dropped_logprobs("litellm")', {}, PLAIN, STREAMED),
    Case(*OLLAMA, without(answers.ollama), NONE_CAME, {}, PLAIN),
    Case(*OLLAMA, without(answers.ollama), 'recover_dropped_logprobs("ollama")', PLAIN, paths=("v3", "av3")),
    Case(*GROQ, NONE, NONE_CAME, {}, PLAIN),
    Case(*GROQ, tool_call, A_CALL, {}, PLAIN),
    Case(*MISTRAL, tool_call, DROPPED, {}, PLAIN),
    Case(*GOOGLE, answers.gemini, 'recover_dropped_logprobs("google_genai")', {}, GOOGLE_ASKS),
    Case(*CHAT_OPENAI, NONE, NONE_CAME, PLAIN),
    Case(*CHAT_OPENAI, NONE, NONE_CAME, KWARGS),
    Case(*CHAT_OPENAI, NONE, NONE_CAME, {"extra_body": {"logprobs": True}}),
    Case(*CHAT_OPENAI, tool_call, A_CALL, PLAIN),
    Case("langchain_deepseek", "ChatDeepSeek", making.openai_like, NONE, NONE_CAME, PLAIN),
    Case("langchain_xai", "ChatXAI", making.openai_like, tool_call, A_CALL, PLAIN),
    Case("langchain_fireworks", "ChatFireworks", making.plain, NONE, NONE_CAME, {}, PLAIN),
    Case("langchain_together", "ChatTogether", making.openai_like, NONE, NONE_CAME, PLAIN),
    Case(*HUGGING_FACE, OPENAI, "use .bind(logprobs=True)", PLAIN, paths=INVOKED),
    Case("langchain_perplexity", "ChatPerplexity", making.perplexity, OPENAI, DROPPED, {},
         {"extra_body": PLAIN}),
    Case("langchain_nvidia_ai_endpoints", "ChatNVIDIA", lambda url: making.plain(f"{url}/v1"), OPENAI,
         'recover_dropped_logprobs("nvidia")', {}, PLAIN, INVOKED),
    Case(*COHERE, answers.cohere, 'recover_dropped_logprobs("cohere")', {}, PLAIN, INVOKED),
    Case("langchain_together", "Together", making.completions, answers.completions(), NOT_SENT, {"logprobs": 1}),
    Case("langchain_openai", "OpenAI", making.completions, without(answers.completions()), NONE_CAME, {"logprobs": 1}),
)  # fmt: skip


def call(model: Any, path: str, config: Any) -> None:
    """Call a model on a path, and consume its answer."""

    async def consume() -> None:
        async for _ in (
            await model.astream_events("hi", config, version="v3") if path == "av3" else model.astream("hi", config)
        ):
            pass

    if path == "invoke":
        model.invoke("hi", config)
    elif path == "ainvoke":
        asyncio.run(model.ainvoke("hi", config))
    elif path in ("astream", "av3"):
        asyncio.run(consume())
    else:
        list(model.stream("hi", config) if path == "stream" else model.stream_events("hi", config, version="v3"))


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        yield server


@pytest.mark.parametrize(
    ("case", "path"), [pytest.param(case, path, id=f"{at}-{case.name}-{path}")
                       for at, case in enumerate(CASES) for path in case.paths])  # fmt: skip
def test_the_reason_is_true(case: Case, path: str, wire: WireServer) -> None:
    pytest.importorskip(case.of)
    wire.answer("*", case.serve)
    undo = recover_dropped_logprobs(case.recovered) if case.recovered else lambda: None
    traced = Traced()
    try:
        model = load(case.of, case.name)(**{**case.at(wire.url), **copy.deepcopy(dict(case.arguments))})
        call(model.bind(**case.bound) if case.bound else model, path, traced.config)
    finally:
        undo()
    said = traced.call.attributes or {}
    assert said["logprobs.status"] == "missing"
    reason = str(said["logprobs.status.reason"])
    assert case.says in reason
    told = [one for one in (NONE_CAME, NOT_SENT, "drops", "a tool call") if one in reason]
    assert len(told) == 1 or case.name in ("ChatGoogleGenerativeAI", "Together"), reason  # these do both
