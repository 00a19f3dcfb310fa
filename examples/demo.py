"""Four small programs, and what the handler shows of each: where the model was unsure, and what it nearly said.

    make demo                            # or: python examples/demo.py
    langchain-logprobs view traces/demo.jsonl

Runs a real model on this machine (see local_model.py): no key, no network. Every trace is drawn in the terminal and
written to traces/demo.jsonl, one OTLP request in JSON a line.

    OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318 make demo     # also sends the spans to Jaeger, Phoenix ...
    OPENAI_API_KEY=... python examples/demo.py --openai             # asks OpenAI's model instead
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from local_model import LocalModelError, local_model
from opentelemetry import trace
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from rich.console import Console

from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.otlp import SplittingSpanExporter
from langchain_logprobs.view.terminal.trace import print_traces

TRACE_FILE = Path(__file__).resolve().parent.parent / "traces" / "demo.jsonl"

PROMPT = ChatPromptTemplate.from_template("{task} Answer in one sentence.")


# The four programs. Each is what it would be without this library, but for the callbacks.


def chain(model: ChatOpenAI) -> None:
    """A chain, invoked."""
    answer = PROMPT | model | StrOutputParser()
    answer.invoke({"task": "When was the Eiffel Tower built?"}, config={"callbacks": [LogprobsCallbackHandler()]})


def streamed_chain(model: ChatOpenAI) -> None:
    """The same chain, streamed."""
    answer = PROMPT | model | StrOutputParser()
    for _ in answer.stream({"task": "What is entropy?"}, config={"callbacks": [LogprobsCallbackHandler()]}):
        pass


def batch(model: ChatOpenAI) -> None:
    """Four questions at once, in async code."""
    answer = PROMPT | model | StrOutputParser()
    tasks = [{"task": f"What is {thing} made of?"} for thing in ("glass", "bread", "the Moon", "a cloud")]
    asyncio.run(answer.abatch(tasks, config={"callbacks": [LogprobsCallbackHandler()]}))


@tool
def population(city: str) -> str:
    """How many people live in a city."""
    return {"Lima": "10,092,000", "Bogota": "7,743,955"}.get(city, "unknown")


def graph(model: ChatOpenAI) -> None:
    """A LangGraph graph whose model calls a tool."""
    model_with_tools = model.bind_tools([population])
    steps = StateGraph(MessagesState)
    steps.add_node("assistant", lambda state: {"messages": [model_with_tools.invoke(state["messages"])]})
    steps.add_node("tools", ToolNode([population]))
    steps.add_edge(START, "assistant")
    steps.add_conditional_edges("assistant", tools_condition)
    steps.add_edge("tools", "assistant")
    steps.compile(name="population desk").invoke(
        {"messages": [HumanMessage("How many people live in Lima?")]},
        config={"callbacks": [LogprobsCallbackHandler()]},
    )


PROGRAMS: tuple[Callable[[ChatOpenAI], None], ...] = (chain, streamed_chain, batch, graph)


# What runs them: a model, a place for the spans, and a picture of each trace.


def chat_model(**where: Any) -> ChatOpenAI:
    """The model, with logprobs asked for: that is the model's own setting, no callback can do it."""
    return ChatOpenAI(**where, temperature=0, max_completion_tokens=60, logprobs=True, top_logprobs=5)


@contextmanager
def demo_model(openai: bool) -> Iterator[ChatOpenAI]:
    """The model that is asked: OpenAI's, or the one on this machine."""
    if openai:
        yield chat_model(model=os.environ.get("OPENAI_MODEL", "gpt-4o-mini"))
        return
    with local_model() as served:
        yield chat_model(model=served.model, base_url=served.base_url, api_key=served.api_key)


def otlp_exporter() -> SpanExporter | None:
    """The exporter that OpenTelemetry's own variables ask for, None where they ask for none."""
    if not (os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return None
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter

        return SplittingSpanExporter(GrpcSpanExporter())
    if protocol in (None, "", "http/protobuf"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter

        return SplittingSpanExporter(HttpSpanExporter())
    sys.exit(f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r} is not known here; use http/protobuf or grpc.")


def main() -> int:
    """Run the four programs and show their traces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openai", action="store_true", help="ask OpenAI's model; needs OPENAI_API_KEY")
    options = parser.parse_args()
    if options.openai and not os.environ.get("OPENAI_API_KEY"):
        parser.error("--openai needs your key in the variable OPENAI_API_KEY. Without --openai, no key is needed.")

    TRACE_FILE.parent.mkdir(exist_ok=True)
    TRACE_FILE.unlink(missing_ok=True)  # the exporter appends
    shown = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "langchain-logprobs-demo"}))
    provider.add_span_processor(SimpleSpanProcessor(shown))
    provider.add_span_processor(BatchSpanProcessor(FileSpanExporter(TRACE_FILE)))
    endpoint = otlp_exporter()
    if endpoint is not None:
        provider.add_span_processor(BatchSpanProcessor(endpoint))
    trace.set_tracer_provider(provider)

    console = Console()
    started = time.monotonic()
    try:
        with demo_model(options.openai) as model:
            for program in PROGRAMS:
                with Console(stderr=True).status(f"{program.__name__}: waiting for the model …"):
                    program(model)
                console.rule(f"[bold]{program.__name__}[/]: {program.__doc__}", align="left", style="dim")
                console.print()
                print_traces(shown.get_finished_spans(), console, legend=program is PROGRAMS[-1])
                console.print()
                shown.clear()
    except LocalModelError as error:
        Console(stderr=True).print(str(error), markup=False, soft_wrap=True)
        return 1
    provider.shutdown()
    print(f"All of it in {time.monotonic() - started:.0f} s. The spans are in a file; this draws them again:")
    print(f"  langchain-logprobs view {os.path.relpath(TRACE_FILE)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
