"""The calls that are made beside each peer: thirteen modes, real langchain-openai against a local server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph

from tests.providers.wire import Body, Request, json_body
from tests.support import chunks, completion, entry

TOKENS = 8
SLOW = "slow"
REFUSED = "refused"


def tokens_of(question: str) -> list[str]:
    """The tokens of the answer to a question: no two questions have the same."""
    return [question, *(f" {index}" for index in range(1, TOKENS))]


def answer(request: Request) -> Body:
    """OpenAI's chat completions, streamed where that is asked for."""
    question = str(request.json["messages"][-1]["content"])
    if question == REFUSED:
        return json_body({"error": {"message": "no such model", "type": "invalid_request_error"}}, status=400)
    entries = [entry(token, -0.1 * (index + 1)) for index, token in enumerate(tokens_of(question))]
    if request.json.get("stream"):
        events = chunks(entries)
        usage = completion(entries)["usage"]
        if (request.json.get("stream_options") or {}).get("include_usage"):
            events.append({**events[-1], "choices": [], "usage": usage})
        pieces = tuple(f"data: {json.dumps(event)}\n\n".encode() for event in events)
        return Body((*pieces, b"data: [DONE]\n\n"), content_type="text/event-stream", pause=0.005)
    if question == SLOW:
        time.sleep(1.0)
    return json_body(completion(entries))


class Calls:
    """The modes. Each is a method that returns the questions which it asked."""

    def __init__(self, url: str, callbacks: Callable[[], Sequence[BaseCallbackHandler]]) -> None:
        """Make the model, a chain and a graph.

        Args:
            url: The server's.
            callbacks: Makes what is passed in each call's config.
        """
        self.model = ChatOpenAI(
            model="gpt-4o",
            base_url=f"{url}/v1",
            api_key="unused",
            logprobs=True,
            top_logprobs=2,
            max_retries=0,
            stream_usage=True,
        )
        self.chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | self.model
        self.callbacks = callbacks

        def ask(state: MessagesState) -> Any:
            return {"messages": [self.model.invoke(state["messages"])]}

        async def aask(state: MessagesState) -> Any:
            return {"messages": [await self.model.ainvoke(state["messages"])]}

        self.graph = self._graph(ask)
        self.agraph = self._graph(aask)

    @staticmethod
    def _graph(node: Any) -> Any:
        graph = StateGraph(MessagesState)
        graph.add_node("answer", node)
        graph.add_edge(START, "answer")
        graph.add_edge("answer", END)
        return graph.compile()

    @property
    def config(self) -> Any:
        return {"callbacks": list(self.callbacks())}

    def invoke(self) -> list[str]:
        self.chain.invoke({"question": "a"}, self.config)
        return ["a"]

    def stream(self) -> list[str]:
        assert len(list(self.chain.stream({"question": "b"}, self.config))) > TOKENS
        return ["b"]

    def batch(self) -> list[str]:
        self.chain.batch([{"question": each} for each in "cde"], self.config)
        return [*"cde"]

    def bare_model(self) -> list[str]:
        self.model.invoke("f", self.config)
        return ["f"]

    def graph_invoke(self) -> list[str]:
        self.graph.invoke({"messages": [("user", "g")]}, self.config)
        return ["g"]

    def ainvoke(self) -> list[str]:
        asyncio.run(self.chain.ainvoke({"question": "h"}, self.config))
        return ["h"]

    def astream(self) -> list[str]:
        async def read() -> None:
            assert len([step async for step in self.chain.astream({"question": "i"}, self.config)]) > TOKENS

        asyncio.run(read())
        return ["i"]

    def abatch(self) -> list[str]:
        asyncio.run(self.chain.abatch([{"question": each} for each in "jkl"], self.config))
        return [*"jkl"]

    def graph_ainvoke(self) -> list[str]:
        asyncio.run(self.agraph.ainvoke({"messages": [("user", "m")]}, self.config))
        return ["m"]

    def graph_astream(self) -> list[str]:
        async def read() -> None:
            async for _ in self.agraph.astream({"messages": [("user", "n")]}, self.config, stream_mode="messages"):
                pass

        asyncio.run(read())
        return ["n"]

    def http_400(self) -> list[str]:
        with contextlib.suppress(Exception):
            self.chain.invoke({"question": REFUSED}, self.config)
        return [REFUSED]

    def early_close(self) -> list[str]:
        steps: Any = self.model.stream("o", self.config)
        for _ in range(3):
            next(steps)
        steps.close()
        return ["o"]

    def cancelled_ainvoke(self) -> list[str]:
        async def cancel() -> None:
            task = asyncio.create_task(self.chain.ainvoke({"question": SLOW}, self.config))
            await asyncio.sleep(0.4)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        return [SLOW]

    def many(self) -> list[str]:
        """140 calls: 80 in four threads, and 60 tasks at once."""
        questions = [f"q{index}" for index in range(140)]

        def one(question: str) -> None:
            if question.endswith("5"):
                list(self.chain.stream({"question": question}, self.config))
            else:
                self.chain.invoke({"question": question}, self.config)

        async def all_of_them() -> None:
            await asyncio.gather(*(self.chain.ainvoke({"question": each}, self.config) for each in questions[80:]))

        tasks = threading.Thread(target=lambda: asyncio.run(all_of_them()))
        tasks.start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, questions[:80]))
        tasks.join()
        return questions


MODES = (
    "invoke",
    "stream",
    "batch",
    "bare_model",
    "graph_invoke",
    "ainvoke",
    "astream",
    "abatch",
    "graph_ainvoke",
    "graph_astream",
    "http_400",
    "early_close",
    "cancelled_ainvoke",
)
