"""A model that gives a scripted answer, and what its span says: for answers that people reported as read wrongly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.llms import BaseLLM
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation, LLMResult

from langchain_logprobs import ConfidenceReport, Settings, confidence_of
from tests.support import Traced

Alternatives = Sequence[tuple[str, float]]
Token = tuple[str, float | None] | tuple[str, float | None, Alternatives]


def entries(tokens: Sequence[Token]) -> list[dict[str, Any]]:
    """The tokens in OpenAI's chat form, without bytes."""
    return [
        {
            "token": token[0],
            "logprob": token[1],
            "top_logprobs": [{"token": text, "logprob": logprob} for text, logprob in token[2]]
            if len(token) > 2
            else [],
        }
        for token in tokens
    ]


class Scripted(BaseChatModel):
    """Answers with one message; streamed, in the chunks that it is given."""

    message: AIMessage
    info: dict[str, Any]
    chunks: list[ChatGenerationChunk]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.message, generation_info=self.info)])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        yield from self.chunks


class ScriptedCompletion(BaseLLM):
    """A completion model with one answer in OpenAI's legacy form."""

    text: str
    container: dict[str, Any]
    echo: bool = False

    @property
    def _llm_type(self) -> str:
        return "scripted-completion"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"logprobs": 1, "echo": self.echo}

    def _generate(self, prompts: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> LLMResult:
        generation = Generation(text=self.text, generation_info={"logprobs": self.container})
        return LLMResult(generations=[[generation]])


def told(message: AIMessage, tokens: Sequence[Token], **settings: Any) -> dict[str, Any]:
    """What the span of an invoked answer says, without the prefix `logprobs.`; the report must say the same."""
    traced = Traced(Settings(**settings))
    info = {"logprobs": {"content": entries(tokens)}}
    answer = Scripted(message=message, info=info, chunks=[]).invoke("q", config=traced.config)
    said = short(traced)
    report = confidence_of(answer, settings=Settings(**settings))
    assert said.get("token.count", 0) == report.measures.scored_count
    assert said.get("confidence.score") == report.score
    assert said.get("confidence.level") == report.level
    return said


def streamed(chunks: Sequence[ChatGenerationChunk]) -> dict[str, Any]:
    """What the span of a streamed answer says."""
    traced = Traced()
    model = Scripted(message=AIMessage(""), info={}, chunks=list(chunks))
    list(model.stream("q", config=traced.config))
    return short(traced)


def chunk(tokens: Sequence[Token], text: str = "", reasoning: str = "", **message: Any) -> ChatGenerationChunk:
    """One chunk of a stream."""
    extra = {"reasoning_content": reasoning} if reasoning else {}
    info = {"logprobs": {"content": entries(tokens)}}
    return ChatGenerationChunk(
        message=AIMessageChunk(content=text, additional_kwargs=extra, **message), generation_info=info
    )


def short(traced: Traced) -> dict[str, Any]:
    """The attributes of the one call's span, without the prefix `logprobs.`."""
    attributes = traced.call.attributes or {}
    return {name.removeprefix("logprobs."): value for name, value in attributes.items()}


def report_of(message: AIMessage, tokens: Sequence[Token]) -> ConfidenceReport:
    """The report on an answer."""
    return confidence_of(
        AIMessage(**{**message.model_dump(), "response_metadata": {"logprobs": {"content": entries(tokens)}}})
    )
