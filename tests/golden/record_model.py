"""Records answers of the real local model (examples/local_model.py), on the paths that a program takes to them."""

from __future__ import annotations

import asyncio
import importlib
import operator
import sys
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from openai import DefaultAsyncHttpxClient

from .recording import CallbackRecorder, Record, save_records
from .replay import Replayer
from .schemas import City, Mood, Review, Trip

FILE = "model"
TOP = 5

QUESTIONS = {
    "english": "Name three rivers and say one surprising thing about each.",
    "german": "Erzähle in drei Sätzen auf Deutsch von der Straße, in der du wohnst. Grüße!",
    "chinese": "请用中文介绍一下北京。",
    "emoji": "Answer with emojis only: 😀🎉👩‍👩‍👧 happy birthday 🎂",
    "code": "Write a Python function that adds two numbers. Answer with a code block.",
    "number": "What is 17 times 23? Answer with the number only.",
    "date": "In which year did the Titanic sink? Answer in one sentence.",
    "yes or no": "Is the earth flat? Answer yes or no.",
}

REVIEW = """Turn each review into JSON.

Review: I love this toaster. After three weeks I bought a second one.
{"product": "toaster", "opinion": "good", "weeks_used": 3, "buys_again": true}

Review: The kettle boils fast and looks nice, but the lid broke after two weeks. Would not buy it again."""

TEXTS: dict[type, str] = {
    Review: REVIEW,
    City: "Describe the city of Zürich as JSON: name, country, continent, millions of people.",
    Trip: "Ann travels by train to Oslo in Norway and to 東京 in Japan. Write the journey as JSON.",
    Mood: "He slammed the door and shouted. Say his mood as JSON, with an intensity from 1 to 10.",
}

NESTED = {
    "title": "Order",
    "type": "object",
    "properties": {
        "lines": {
            "type": "array",
            "minItems": 2,
            "maxItems": 3,
            "items": {
                "type": "object",
                "properties": {"article": {"type": "string", "maxLength": 20}, "count": {"enum": [1, 2, 3, 12]}},
                "required": ["article", "count"],
            },
        },
        "express": {"type": "boolean"},
        "note/~é": {"anyOf": [{"enum": ["none", "gift", "fragile"]}, {"type": "null"}]},
    },
    "required": ["lines", "express", "note/~é"],
}

ORDER = "Write an order of two articles as JSON."
ASK = ChatPromptTemplate.from_template("{question}")

Do = Callable[[Any], Any]
"""Does something with a model, its callbacks in the config that it is given; returns what the program gets."""


@tool
def weather(city: str) -> str:
    """Say the weather in a city."""
    return f"12 degrees and rain in {city}"


def _merged(parts: Any) -> Any:
    return reduce(operator.add, list(parts))


def _amerged(stream: Callable[[], Any]) -> Any:
    async def collect() -> list[Any]:
        return [part async for part in stream()]

    return _merged(asyncio.run(collect()))


def _invoke(model: Any, question: Any) -> Do:
    return lambda config: model.invoke(question, config)


def _stream(model: Any, question: Any) -> Do:
    return lambda config: _merged(model.stream(question, config))


def _break_off(model: Any, question: Any, after: int) -> Do:
    def do(config: Any) -> None:
        parts = model.stream(question, config)
        for _ in range(after):
            next(parts)
        parts.close()

    return do


def _agent(model: Any, question: str) -> Do:
    """A LangGraph agent that may call the weather once, then answers."""
    with_tools = model.bind_tools([weather])
    builder = StateGraph(MessagesState)
    builder.add_node("model", lambda state: {"messages": [with_tools.invoke(state["messages"])]})
    builder.add_node("tools", ToolNode([weather]))
    builder.add_node("answer", lambda state: {"messages": [model.invoke(state["messages"])]})
    builder.add_edge(START, "model")
    builder.add_conditional_edges("model", tools_condition)
    builder.add_edge("tools", "answer")
    builder.add_edge("answer", END)
    graph: Any = builder.compile(name="forecaster")
    return lambda config: graph.invoke({"messages": [("user", question)]}, config)["messages"][-1]


def _all(chat: Callable[..., Any], completion: Callable[..., Any]) -> Iterator[tuple[str, Do]]:
    """Yield everything that is recorded, with its name. The two arguments make a model."""
    for name, question in QUESTIONS.items():
        yield f"{name}/invoke", _invoke(chat(), question)
        yield f"{name}/stream", _stream(chat(temperature=1.3), question)
    english, german, chinese = (QUESTIONS[name] for name in ("english", "german", "chinese"))
    yield "german/ainvoke", lambda config: asyncio.run(chat(seed=5).ainvoke(german, config))
    yield "chinese/astream", lambda config: _amerged(lambda: chat(temperature=1.5).astream(chinese, config))
    yield "english/long", _stream(chat(max_tokens=300), english)
    yield "english/no alternatives", _invoke(chat(top_logprobs=0), english)
    yield "english/twenty alternatives", _invoke(chat(top_logprobs=20, max_tokens=20), english)
    yield "english/not asked", _invoke(chat(logprobs=None, top_logprobs=None), english)
    yield "english/one token", _invoke(chat(max_tokens=1), english)
    yield "english/stop", _invoke(chat(stop=["river"]), english)
    yield "english/broken off", _break_off(chat(), english, 6)
    yield "english/chain", _invoke(ASK | chat() | StrOutputParser(), {"question": english})
    questions = [{"question": question} for question in (english, german, chinese)]
    batched = ASK | chat(max_tokens=12) | StrOutputParser()
    yield "english/chain batch", lambda config: batched.batch(questions, {**config, "max_concurrency": 1})
    several = chat(n=3, temperature=1.2)
    asked = [[HumanMessage(german)]]
    yield "german/three choices", lambda config: several.generate(asked, callbacks=config["callbacks"])
    for name, question in (("english", "The three largest rivers are"), ("chinese", "北京是")):
        yield f"{name}/completion invoke", _invoke(completion(), question)
        yield f"{name}/completion stream", _stream(completion(), question)
    yield from _structured(chat)
    for city in ("Rome", "München", "上海"):
        yield f"tool/{city}", _invoke(chat().bind_tools([weather]), f"What is the weather in {city}?")
    yield "tool/agent", _agent(chat(), "What is the weather in München?")


def _structured(chat: Callable[..., Any]) -> Iterator[tuple[str, Do]]:
    def model(schema: Any, method: str = "json_schema", **options: Any) -> Any:
        made = chat(**{"max_tokens": 300, **options})
        return made.with_structured_output(schema, method=method, include_raw=True)

    for kind, text in TEXTS.items():
        yield f"structured/{kind.__name__}", _invoke(model(kind), text)
        yield f"structured/{kind.__name__} hot", _invoke(model(kind, temperature=1.8, seed=3), text)
    yield "structured/nested", _invoke(model(NESTED), ORDER)
    yield "structured/nested hot", _invoke(model(NESTED, temperature=1.5, seed=4), ORDER)
    yield "structured/cut off", _invoke(model(NESTED, max_tokens=30), ORDER)
    wanted = {"response_format": {"type": "json_schema", "json_schema": {"name": "Order", "schema": NESTED}}}
    yield "structured/by body", _invoke(chat(extra_body=wanted), ORDER)
    yield "structured/by body, cut off", _stream(chat(extra_body=wanted, max_tokens=24), ORDER)
    yield "structured/json mode", _invoke(model(Review, method="json_mode", temperature=0), REVIEW)
    yield "structured/tool", _invoke(model(Review, method="function_calling"), REVIEW)
    streamed = model(Review)
    yield "structured/stream", lambda config: _merged(streamed.stream(REVIEW, config))


def record() -> tuple[int, int]:
    """Record all answers.

    Returns:
        How many records were made, twice: the file has no others.
    """
    sys.path.append(str(Path(__file__).parents[2] / "examples"))
    made = []
    with importlib.import_module("local_model").local_model() as served:
        common = {"base_url": served.base_url, "api_key": "none", "model": served.model, "max_retries": 0, "seed": 7}

        def chat(**options: Any) -> Any:
            given = {"logprobs": True, "top_logprobs": TOP, "max_tokens": 60, "temperature": 0.7, **options}
            # LangChain shares one asynchronous client among models, and ours are asked from several event loops.
            given["http_async_client"] = DefaultAsyncHttpxClient()
            return ChatOpenAI(**{**common, **given})

        def completion() -> Any:
            return OpenAI(**common, logprobs=TOP, max_tokens=30)

        for name, do in _all(chat, completion):
            made.append(_recorded(name, do))
    save_records(FILE, made)
    return len(made), len(made)


def _recorded(name: str, do: Do) -> Record:
    recorder, live = CallbackRecorder(), Replayer()
    try:
        returned = do({"callbacks": [recorder, live.handler]})
    except Exception as error:
        returned = None
        print(f"{name}: {type(error).__name__}: {error}")
    made = recorder.record(name, returned)
    live.check(made)
    return made
