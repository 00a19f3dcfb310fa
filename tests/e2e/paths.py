"""Every way to call a model: the same short question on each, with callbacks in the config as a user passes them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from local_model import MODEL
from openai import DefaultAsyncHttpxClient

T = TypeVar("T")

QUESTION = "Name three rivers and say one surprising thing about each."
MAX_TOKENS = 24
TOP = 5
GRACE = 2.0

CHAIN = "invoke_workflow RunnableSequence"
GRAPH = "invoke_agent rivers"
CHAT = f"chat {MODEL}"
COMPLETION = f"text_completion {MODEL}"


def chat_model(url: str, **options: Any) -> ChatOpenAI:
    """The chat class as a user sets it up, only without retries: they would hide what a test provokes."""
    return ChatOpenAI(model=MODEL, **{**_common(url), "logprobs": True, "top_logprobs": TOP, **options})


def completion_model(url: str, **options: Any) -> OpenAI:
    """The completions class."""
    return OpenAI(model=MODEL, **{**_common(url), "logprobs": TOP, **options})


def _common(url: str) -> dict[str, Any]:
    return {
        "base_url": f"{url}/v1",
        "api_key": "none",
        "max_tokens": MAX_TOKENS,
        "max_retries": 0,
        "timeout": 60,
        # By default LangChain shares one client among the models of an address, and we close it (see `closing`).
        "http_async_client": DefaultAsyncHttpxClient(),
    }


def chain(model: BaseLanguageModel[Any]) -> Runnable[Any, str]:
    """Prompt, model, parser."""
    return ChatPromptTemplate.from_template("{question}") | model | StrOutputParser()


def graph(model: ChatOpenAI, *, asynchronous: bool = False) -> Any:
    """A LangGraph graph of two nodes, the first of which asks the model."""

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def ask_async(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    def shout(state: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage(str(state["messages"][-1].content).upper())]}

    builder = StateGraph(MessagesState)
    builder.add_node("ask", ask_async if asynchronous else ask)
    builder.add_node("shout", shout)
    builder.add_edge(START, "ask")
    builder.add_edge("ask", "shout")
    builder.add_edge("shout", END)
    return builder.compile(name="rivers")


GIVEN = {"question": QUESTION}
MESSAGES = {"messages": [("user", QUESTION)]}


@tool
def length(river: str) -> int:
    """The length of a river in kilometres."""
    return len(river)


@dataclass(frozen=True)
class Path:
    """One way to call a model.

    Attributes:
        kind: What `start` returns: a result ("call"), something to await ("await"), to iterate over ("iterate"), or
            to iterate over asynchronously, awaited first where it must be ("aiterate").
        start: Calls the model, or gets ready to.
        spans: The names from the root's span down to the model call's.
        make: Makes the model from its server's address.
        calls: How many requests go out.
        choices: How many answers each of them asks for.
    """

    kind: Literal["call", "await", "iterate", "aiterate"]
    start: Callable[[Any, RunnableConfig], Any]
    spans: tuple[str, ...] = (CHAIN, CHAT)
    make: Callable[..., ChatOpenAI | OpenAI] = chat_model
    calls: int = 1
    choices: int = 1

    @property
    def streamed(self) -> bool:
        """Whether the answer comes in chunks."""
        return self.kind in ("iterate", "aiterate")

    @property
    def asynchronous(self) -> bool:
        """Whether it needs an event loop."""
        return self.kind in ("await", "aiterate")

    def run(self, url: str, config: RunnableConfig, **options: Any) -> None:
        """Call the model and take all of its answer. Options are for the model."""
        model = self.make(url, **options)
        if self.kind == "call":
            self.start(model, config)
        elif self.kind == "iterate":
            for _ in self.start(model, config):
                pass
        else:
            asyncio.run(closing(model, self.consume(model, config)))

    async def consume(self, model: Any, config: RunnableConfig) -> None:
        """Take all of the answer, on an asynchronous path."""
        if self.kind == "await":
            await self.start(model, config)
        else:
            async for _ in await opened(self.start(model, config)):
                pass


async def closing(model: ChatOpenAI | OpenAI, work: Awaitable[T]) -> T:
    """Close the model's connections in the event loop that opened them; the garbage collector cannot.

    What the work has left running (the v3 protocol's reader, the rest of a batch) may end by itself first, as it does
    in a program that goes on; then it is cancelled, as `asyncio.run` does it at its end.
    """
    before = asyncio.all_tasks()
    try:
        return await work
    finally:
        left = asyncio.all_tasks() - before
        if left:
            await asyncio.wait(left, timeout=GRACE)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        await model.async_client._client.close()


async def collect(parts: AsyncIterator[T]) -> list[T]:
    """Take all of a stream."""
    return [part async for part in parts]


async def opened(parts: Any) -> Any:
    """The v3 protocol's streams are awaited before they are iterated over."""
    return await parts if inspect.isawaitable(parts) else parts


_completion = partial(Path, make=completion_model, spans=(CHAIN, COMPLETION))
_alone = partial(Path, spans=(CHAT,))
_node = partial(Path, spans=(GRAPH, "ask", CHAT))

PATHS = {
    "invoke": Path("call", lambda model, config: chain(model).invoke(GIVEN, config)),
    "ainvoke": Path("await", lambda model, config: chain(model).ainvoke(GIVEN, config)),
    "stream": Path("iterate", lambda model, config: chain(model).stream(GIVEN, config)),
    "astream": Path("aiterate", lambda model, config: chain(model).astream(GIVEN, config)),
    "batch": Path("call", lambda model, config: chain(model).batch([GIVEN] * 3, config), calls=3),
    "abatch": Path("await", lambda model, config: chain(model).abatch([GIVEN] * 3, config), calls=3),
    "generate-n3": _alone(
        "call",
        lambda model, config: model.generate([[HumanMessage(QUESTION)]], callbacks=config["callbacks"]),
        make=partial(chat_model, n=3),
        choices=3,
    ),
    "astream_events-v2": Path(
        "aiterate", lambda model, config: chain(model).astream_events(GIVEN, config, version="v2")
    ),
    "astream_events-v3": _alone("aiterate", lambda model, config: model.astream_events(QUESTION, config, version="v3")),
    "stream_events-v3": _alone("iterate", lambda model, config: model.stream_events(QUESTION, config, version="v3")),
    "graph-messages": _node(
        "iterate", lambda model, config: graph(model).stream(MESSAGES, config, stream_mode="messages")
    ),
    "graph-messages-async": _node(
        "aiterate",
        lambda model, config: graph(model, asynchronous=True).astream(MESSAGES, config, stream_mode="messages"),
    ),
    "graph-stream_events-v3": _node(
        "iterate", lambda model, config: graph(model).stream_events(MESSAGES, config, version="v3")
    ),
    "graph-astream_events-v3": _node(
        "aiterate",
        lambda model, config: graph(model, asynchronous=True).astream_events(MESSAGES, config, version="v3"),
    ),
    "bind_tools": _alone("call", lambda model, config: model.bind_tools([length]).invoke(QUESTION, config)),
    "completion-invoke": _completion("call", lambda model, config: chain(model).invoke(GIVEN, config)),
    "completion-ainvoke": _completion("await", lambda model, config: chain(model).ainvoke(GIVEN, config)),
    "completion-stream": _completion("iterate", lambda model, config: chain(model).stream(GIVEN, config)),
    "completion-astream": _completion("aiterate", lambda model, config: chain(model).astream(GIVEN, config)),
}
