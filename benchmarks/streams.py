"""Many streams open at once, each through graph, node and model: is every call right, and what does one take?

Every stream has tokens and logprobs of its own, and all are open before any of them brings its second token. The same
is run in a process of its own without a handler, for the memory to be compared with. Two rounds: what the second adds
to the peak of the first is what is kept of streams that are over.

    python benchmarks/streams.py [--streams N] [--rounds N] [--agents] [--check]

`--agents` runs LangChain's agent (a model, a tool, a model again) in the place of the graph.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

# Nothing here may be sent anywhere, whatever the environment says.
for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING"):
    os.environ[name] = "false"

from langchain_core.language_models import BaseChatModel  # noqa: E402
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage  # noqa: E402
from langchain_core.outputs import ChatGenerationChunk, ChatResult  # noqa: E402
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider  # noqa: E402

from langchain_logprobs import LogprobsCallbackHandler, Settings  # noqa: E402

TOKENS = 10
MOST_BYTES = 20_000
"""More than without a handler, for each stream that is open (graph, node and model: three runs)."""

MOST_GROWTH = 1.05
"""The peak of the last round, of that of the first."""


def logprob_of(stream: int, token: int) -> float:
    """Return a logprob that no other token of any stream has."""
    return -(stream * TOKENS + token + 1) / 1e6


class Gate:
    """Lets nobody through before all have come."""

    def __init__(self, count: int) -> None:
        """Wait for this many."""
        self._left = count
        self._open = asyncio.Event()

    async def wait(self) -> None:
        """Come, and wait for the others."""
        self._left -= 1
        if self._left == 0:
            self._open.set()
        await self._open.wait()


class NumberedModel(BaseChatModel):
    """Streams an answer that is made of the number it is asked with, with logprobs in OpenAI's shape."""

    gate: Any
    tool_first: bool = False

    @property
    def _llm_type(self) -> str:
        return "numbered"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": "numbered-1", "logprobs": True}

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        """Take the tools of an agent."""
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("it only streams")

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        stream = int(messages[0].text)
        calls_tool = self.tool_first and len(messages) == 1
        for token in range(TOKENS):
            if token == 1 and not calls_tool:
                await self.gate.wait()
            elif token % 5 == 0:
                await asyncio.sleep(0)
            text = f" {stream}.{token}"
            content = [{"token": text, "logprob": logprob_of(stream, token), "top_logprobs": []}]
            message = AIMessageChunk(content="" if calls_tool else text)
            if calls_tool and token == 0:
                call = {"name": "look_up", "args": "{}", "id": f"c{stream}", "index": 0, "type": "tool_call_chunk"}
                message = AIMessageChunk(content="", tool_call_chunks=[call])  # type: ignore[list-item]
            yield ChatGenerationChunk(message=message, generation_info={"logprobs": {"content": content}})


class Checker(SpanProcessor):
    """Looks at each span as it ends, and keeps none."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.names: Counter[str] = Counter()
        self.right: Counter[int] = Counter()
        self.wrong: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Count a span, and compare a model call's with what its stream has sent."""
        attributes: dict[str, Any] = {**(span.attributes or {})}
        self.names[span.name] += 1
        if span.parent is None and not span.name.startswith("invoke_"):
            self.wrong.append(f"{span.name} has no parent")
        if not span.name.startswith("chat"):
            return
        values = list(attributes.get("logprobs.values", ()))
        stream = round(-values[0] * 1e6 - 1) // TOKENS if values else -1
        sent = [logprob_of(stream, token) for token in range(TOKENS)]
        if values == sent and attributes["logprobs.status"] == "recorded":
            self.right[stream] += 1
        else:
            self.wrong.append(f"{span.name}: {attributes.get('logprobs.status.reason')}, {len(values)} tokens")


def graph_of(model: BaseChatModel) -> Any:
    """Return a graph of one node that calls the model."""
    from langgraph.graph import END, START, MessagesState, StateGraph

    async def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("answer", answer)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", END)
    return builder.compile()


def agent_of(model: BaseChatModel) -> Any:
    """Return LangChain's agent with one tool."""
    from langchain.agents import create_agent

    async def look_up() -> str:
        """Look it up."""
        return "found"

    return create_agent(model, [look_up])


async def one_round(make: Any, count: int, callbacks: list[Any], *, tool_first: bool) -> None:
    """Run so many streams at once."""
    graph = make(NumberedModel(gate=Gate(count), tool_first=tool_first))

    async def one(stream: int) -> None:
        question = {"messages": [("user", str(stream))]}
        came = ""
        async for message, _ in graph.astream(question, {"callbacks": callbacks}, stream_mode="messages"):
            came += message.text if isinstance(message, AIMessage) else ""
        if came != "".join(f" {stream}.{token}" for token in range(TOKENS)):
            raise RuntimeError(f"stream {stream} brought {came!r}")

    await asyncio.gather(*(one(stream) for stream in range(count)))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Run the rounds in this process."""
    checker = Checker()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(checker)
    handler = LogprobsCallbackHandler(Settings(), tracer_provider=provider)
    callbacks: list[Any] = [handler] if options.handler else []
    peaks, begun = [], time.process_time()
    for _ in range(options.rounds):
        make = agent_of if options.agents else graph_of
        asyncio.run(one_round(make, options.streams, callbacks, tool_first=options.agents))
        gc.collect()
        peaks.append(_peak_bytes())
    return {
        "cpu": time.process_time() - begun,
        "peaks": peaks,
        "names": dict(checker.names),
        "right": sum(checker.right.values()),
        "right_streams": len(checker.right),
        "wrong": len(checker.wrong),
        "examples": checker.wrong[:3],
        "open": handler.open_runs,
    }


def _peak_bytes() -> int:
    """Return the most memory that this process ever held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def in_process(arguments: Sequence[str]) -> dict[str, Any]:
    """Measure in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def faults(ours: dict[str, Any], alone: dict[str, Any], options: argparse.Namespace) -> Iterator[str]:
    """Yield what is not as it should be."""
    calls = options.streams * options.rounds * (2 if options.agents else 1)
    if ours["right"] != calls or ours["right_streams"] != options.streams or ours["wrong"]:
        yield f"{ours['right']:,} of {calls:,} calls are right, {ours['wrong']:,} spans are wrong: {ours['examples']}"
    if ours["open"]:
        yield f"{ours['open']:,} runs are still open"
    uneven = {name: count for name, count in ours["names"].items() if count % (options.streams * options.rounds)}
    if uneven:
        yield f"spans that were invented or lost: {uneven}"
    if (more := (ours["peaks"][-1] - alone["peaks"][-1]) / options.streams) > MOST_BYTES:
        yield f"{more:,.0f} bytes more for each stream, at most {MOST_BYTES:,} are promised"
    if (growth := ours["peaks"][-1] / ours["peaks"][0]) > MOST_GROWTH:
        yield f"the last round's peak is {growth:.2f} times the first's"


def main() -> int:
    """Compare a process with the handler and one without."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=10_000, help="how many at once (10,000)")
    parser.add_argument("--rounds", type=int, default=2, help="how often (2)")
    parser.add_argument("--agents", action="store_true", help="LangChain's agent in the place of the graph")
    parser.add_argument("--check", action="store_true", help="fail where anything is not as it should be")
    parser.add_argument("--measure", choices=("ours", "alone"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        options.handler = options.measure == "ours"
        print(json.dumps(measure(options)))
        return 0
    alone, ours = (in_process([*sys.argv[1:], "--measure", which]) for which in ("alone", "ours"))
    for name, measured in (("no handler", alone), ("langchain-logprobs", ours)):
        peaks = ", ".join(f"{peak / 1e6:,.0f}" for peak in measured["peaks"])
        print(f"{name:20} peak of each round {peaks} MB, {measured['cpu']:,.1f} s of processor time")
    print(f"spans: {ours['names']}")
    print(f"{ours['right']:,} calls are right; open at the end: {ours['open']}")
    print(f"each stream takes {(ours['peaks'][-1] - alone['peaks'][-1]) / options.streams:,.0f} bytes more")
    found = list(faults(ours, alone, options))
    print("\n".join(f"FAULT: {fault}" for fault in found))
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
