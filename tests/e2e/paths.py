"""Every way to call a model: the same short question on each, with callbacks in the config as a user passes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from langchain_core.language_models import BaseLanguageModel
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from local_model import MODEL

T = TypeVar("T")

QUESTION = "Name three rivers and say one surprising thing about each."
MAX_TOKENS = 24
TOP = 5

CHAIN = "invoke_workflow RunnableSequence"
GRAPH = "invoke_agent rivers"
CHAT = f"chat {MODEL}"
COMPLETION = f"text_completion {MODEL}"


def chat_model(url: str, **options: Any) -> ChatOpenAI:
    """The chat class as a user sets it up, only without retries: they would hide what a test provokes."""
    given = {
        "logprobs": True,
        "top_logprobs": TOP,
        "max_tokens": MAX_TOKENS,
        "max_retries": 0,
        "timeout": 60,
        **options,
    }
    return ChatOpenAI(model=MODEL, base_url=f"{url}/v1", api_key="none", **given)  # type: ignore[arg-type]


def completion_model(url: str, **options: Any) -> OpenAI:
    """The completions class."""
    given = {"logprobs": TOP, "max_tokens": MAX_TOKENS, "max_retries": 0, "timeout": 60, **options}
    return OpenAI(model=MODEL, base_url=f"{url}/v1", api_key="none", **given)  # type: ignore[arg-type]


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


async def closing(model: ChatOpenAI | OpenAI, work: Awaitable[T]) -> T:
    """Close the model's connections in the event loop that opened them; the garbage collector cannot."""
    try:
        return await work
    finally:
        await model.async_client._client.close()


async def collect(parts: AsyncIterator[T]) -> list[T]:
    """Read a stream to its end."""
    found = [part async for part in parts]
    assert found
    return found


GIVEN = {"question": QUESTION}
MESSAGES = {"messages": [("user", QUESTION)]}

Model = Callable[..., Any]  # chat_model or completion_model


def _invoke(url: str, config: RunnableConfig, make: Model = chat_model) -> None:
    chain(make(url)).invoke(GIVEN, config)


def _ainvoke(url: str, config: RunnableConfig, make: Model = chat_model) -> None:
    model = make(url)
    asyncio.run(closing(model, chain(model).ainvoke(GIVEN, config)))


def _stream(url: str, config: RunnableConfig, make: Model = chat_model) -> None:
    assert list(chain(make(url)).stream(GIVEN, config))


def _astream(url: str, config: RunnableConfig, make: Model = chat_model) -> None:
    model = make(url)
    asyncio.run(closing(model, collect(chain(model).astream(GIVEN, config))))


def _batch(url: str, config: RunnableConfig) -> None:
    chain(chat_model(url)).batch([GIVEN] * 3, config)


def _abatch(url: str, config: RunnableConfig) -> None:
    model = chat_model(url)
    asyncio.run(closing(model, chain(model).abatch([GIVEN] * 3, config)))


def _generate_three(url: str, config: RunnableConfig) -> None:
    result = chat_model(url, n=3).generate([[HumanMessage(QUESTION)]], callbacks=config["callbacks"])
    assert len(result.generations[0]) == 3


def _astream_events_v2(url: str, config: RunnableConfig) -> None:
    model = chat_model(url)
    asyncio.run(closing(model, collect(chain(model).astream_events(GIVEN, config, version="v2"))))


def _stream_events_v3(url: str, config: RunnableConfig) -> None:
    assert list(chat_model(url).stream_events(QUESTION, config, version="v3"))


def _astream_events_v3(url: str, config: RunnableConfig) -> None:
    model = chat_model(url)

    async def run() -> None:
        await collect(aiter(await model.astream_events(QUESTION, config, version="v3")))

    asyncio.run(closing(model, run()))


def _graph_messages(url: str, config: RunnableConfig) -> None:
    assert list(graph(chat_model(url)).stream(MESSAGES, config, stream_mode="messages"))


def _graph_messages_async(url: str, config: RunnableConfig) -> None:
    model = chat_model(url)
    parts = graph(model, asynchronous=True).astream(MESSAGES, config, stream_mode="messages")
    asyncio.run(closing(model, collect(parts)))


def _graph_stream_events_v3(url: str, config: RunnableConfig) -> None:
    assert list(graph(chat_model(url)).stream_events(MESSAGES, config, version="v3"))


def _graph_astream_events_v3(url: str, config: RunnableConfig) -> None:
    model = chat_model(url)

    async def run() -> None:
        await collect(aiter(await graph(model, asynchronous=True).astream_events(MESSAGES, config, version="v3")))

    asyncio.run(closing(model, run()))


def _tools(url: str, config: RunnableConfig) -> None:
    @tool
    def length(river: str) -> int:
        """The length of a river in kilometres."""
        return len(river)

    chat_model(url).bind_tools([length]).invoke(QUESTION, config)


@dataclass(frozen=True)
class Path:
    """One way to call a model.

    Attributes:
        run: Calls it: with the server's address and the config.
        spans: The names from the root's span down to the model call's.
        calls: How many requests go out.
        choices: How many answers each of them asks for.
        streamed: Whether the answer comes in chunks.
    """

    run: Callable[[str, RunnableConfig], None]
    spans: tuple[str, ...]
    calls: int = 1
    choices: int = 1
    streamed: bool = False


PATHS = {
    "invoke": Path(_invoke, (CHAIN, CHAT)),
    "ainvoke": Path(_ainvoke, (CHAIN, CHAT)),
    "stream": Path(_stream, (CHAIN, CHAT), streamed=True),
    "astream": Path(_astream, (CHAIN, CHAT), streamed=True),
    "batch": Path(_batch, (CHAIN, CHAT), calls=3),
    "abatch": Path(_abatch, (CHAIN, CHAT), calls=3),
    "generate-n3": Path(_generate_three, (CHAT,), choices=3),
    "astream_events-v2": Path(_astream_events_v2, (CHAIN, CHAT), streamed=True),
    "astream_events-v3": Path(_astream_events_v3, (CHAT,), streamed=True),
    "stream_events-v3": Path(_stream_events_v3, (CHAT,), streamed=True),
    "graph-messages": Path(_graph_messages, (GRAPH, "ask", CHAT), streamed=True),
    "graph-messages-async": Path(_graph_messages_async, (GRAPH, "ask", CHAT), streamed=True),
    "graph-stream_events-v3": Path(_graph_stream_events_v3, (GRAPH, "ask", CHAT), streamed=True),
    "graph-astream_events-v3": Path(_graph_astream_events_v3, (GRAPH, "ask", CHAT), streamed=True),
    "bind_tools": Path(_tools, (CHAT,)),
    "completion-invoke": Path(partial(_invoke, make=completion_model), (CHAIN, COMPLETION)),
    "completion-stream": Path(partial(_stream, make=completion_model), (CHAIN, COMPLETION), streamed=True),
    "completion-ainvoke": Path(partial(_ainvoke, make=completion_model), (CHAIN, COMPLETION)),
    "completion-astream": Path(partial(_astream, make=completion_model), (CHAIN, COMPLETION), streamed=True),
}
