"""A plain callback handler that keeps what LangChain hands it, and helpers that run a model on every path."""

from __future__ import annotations

import asyncio
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler


class Recorder(BaseCallbackHandler):
    """Keeps the payloads of the model callbacks as they came. Only reads, like any passive handler."""

    def __init__(self) -> None:
        self.chunks: list[Any] = []  # the `chunk` of each on_llm_new_token, None where the integration passes none
        self.infos: list[dict[str, Any]] = []  # their generation_info, as it was when the callback came
        self.token_kwargs: list[dict[str, Any]] = []
        self.ends: list[Any] = []
        self.errors: list[BaseException] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        """Present so that LangChain does not fall back to on_llm_start."""

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
        self.chunks.append(chunk)
        self.infos.append(dict((chunk.generation_info if chunk is not None else None) or {}))
        self.token_kwargs.append(kwargs)

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.ends.append(response)

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.errors.append(error)

    @property
    def end_info(self) -> dict[str, Any]:
        """generation_info of the one generation of the one run that ended."""
        (response,) = self.ends
        ((generation,),) = response.generations
        return generation.generation_info or {}

    @property
    def streamed(self) -> list[Any]:
        """The `logprobs` of the chunks that carry some, in order."""
        return [info["logprobs"] for info in self.infos if info.get("logprobs") is not None]

    @property
    def streamed_entries(self) -> list[Any]:
        """The entries of all chunks' logprobs in OpenAI's chat shape, in order."""
        return [entry for logprobs in self.streamed for entry in logprobs["content"]]


PATHS = ("invoke", "ainvoke", "stream", "astream")


def run(model: Any, path: str, question: str = "hi", **kwargs: Any) -> tuple[Recorder, Any]:
    """Call a model on one of PATHS; returns what the callbacks got, and the answer (merged, where it was streamed)."""
    recorder = Recorder()
    config = {"callbacks": [recorder]}

    async def collect() -> list[Any]:
        return [part async for part in model.astream(question, config, **kwargs)]

    if path == "invoke":
        return recorder, model.invoke(question, config, **kwargs)
    if path == "ainvoke":
        return recorder, asyncio.run(model.ainvoke(question, config, **kwargs))
    parts = asyncio.run(collect()) if path == "astream" else list(model.stream(question, config, **kwargs))
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return recorder, whole
