"""What each kind of run costs with a handler, in microseconds of processor time above LangChain alone.

Most of what an application runs is no answer of 2,000 tokens with logprobs, but steps, tools, graphs, short answers,
answers without logprobs, and traces that are not sampled. Each is run as an application does, with a model that makes
its answer anew each time; everybody in turns in one process, and LangChain's own time is taken off.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypedDict
from uuid import uuid4

import tables
from answer import MESSAGES, MODEL, PARAMS, StreamingModel, fresh_chunks, result
from contenders import RUNS, Contender, NoHandler, Ours, OursMeters, OursUnsampled, Provider, installed, versions
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, LLMResult
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool

Run = Callable[[RunnableConfig], object]

MOST_UNSAMPLED = {"2,000 tokens streamed": 0.05, "10 tokens": 0.10}
"""Unsampled, of what the handler's callbacks cost where the call is sampled."""


class AnsweringModel(StreamingModel):
    """A model that makes its answer anew for each call."""

    tokens: int
    logprobs: bool = True

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return PARAMS if self.logprobs else {"model": MODEL, "temperature": 0.7}

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        chunks = fresh_chunks(self.tokens, logprobs=self.logprobs)[1:-1]
        text = "".join(chunk.text for chunk in chunks)
        info: dict[str, Any] = {"finish_reason": "stop"}
        if self.logprobs:
            infos = [chunk.generation_info or {} for chunk in chunks]
            info["logprobs"] = {"content": [info["logprobs"]["content"][0] for info in infos], "refusal": None}
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text), generation_info=info)])

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield from fresh_chunks(self.tokens, logprobs=self.logprobs)


@tool
def look_up(query: str) -> str:
    """Look it up."""
    return query


def _invoked(tokens: int, *, logprobs: bool = True) -> Run:
    model = AnsweringModel(tokens=tokens, logprobs=logprobs)
    return lambda config: model.invoke(MESSAGES, config)


def _streamed(tokens: int, *, logprobs: bool = True) -> Run:
    model = AnsweringModel(tokens=tokens, logprobs=logprobs)
    return lambda config: sum(1 for _ in model.stream(MESSAGES, config))


def _openai() -> Run:
    """ChatOpenAI whole, but for the network; the answer has logprobs where the request asks for them."""
    import httpx
    from langchain_openai import ChatOpenAI

    chunks = fresh_chunks(100)[1:-1]
    entries = [(chunk.generation_info or {})["logprobs"]["content"][0] for chunk in chunks]
    answers = {}
    for asked in (False, True):
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "".join(chunk.text for chunk in chunks)},
            "logprobs": {"content": entries, "refusal": None} if asked else None,
        }
        answer = {"id": "1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice]}
        answers[asked] = json.dumps(answer).encode()

    def serve(request: httpx.Request) -> httpx.Response:
        asked = bool(json.loads(request.content).get("logprobs"))
        return httpx.Response(200, content=answers[asked], headers={"content-type": "application/json"})

    client = httpx.Client(transport=httpx.MockTransport(serve))
    model = ChatOpenAI(model=MODEL, api_key="sk-benchmark", http_client=client, stream_usage=False)  # type: ignore[arg-type]
    return lambda config: model.invoke(MESSAGES, config)


def _graph() -> Run:
    from langgraph.graph import END, START, StateGraph

    class State(TypedDict):
        count: int

    builder = StateGraph(State)
    names = [f"node_{number}" for number in range(8)]
    for name in names:
        builder.add_node(name, lambda state: {"count": state["count"] + 1})
    for before, after in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(before, after)
    graph = builder.compile()
    return lambda config: graph.invoke({"count": 0}, config)


_step = RunnableLambda(lambda value: value)
_sequence = _step | _step | _step | _step

KINDS: dict[str, tuple[int, Callable[[], Run]]] = {
    "one step": (60, lambda: lambda config: _step.invoke("x", config)),
    "chain of 4 steps": (20, lambda: lambda config: _sequence.invoke("x", config)),
    "tool": (60, lambda: lambda config: look_up.invoke("x", config)),
    "graph of 8 nodes": (6, _graph),
    "model, not requested": (50, lambda: _invoked(10, logprobs=False)),
    "10 tokens": (50, lambda: _invoked(10)),
    "100 tokens": (20, lambda: _invoked(100)),
    "100 tokens, ChatOpenAI that is not told to ask": (10, _openai),
    "100 tokens streamed": (10, lambda: _streamed(100)),
    "100 tokens streamed, not requested": (10, lambda: _streamed(100, logprobs=False)),
    "2,000 tokens streamed": (1, lambda: _streamed(2_000)),
}
"""Each kind of run: how often it is repeated for one measurement, and how it is made."""


def run(*, quick: bool, only: str = "", peers: bool = True) -> dict[str, Any]:
    """Measure everybody on each kind of run.

    Args:
        quick: Few rounds.
        only: Only the kinds with this in their name.
        peers: Whether the peers take part.
    """
    # The answer is parsed from text once for all: it is the same for everybody, and most of the time otherwise.
    contenders, missing = installed(Provider, [each for each in RUNS if peers or not each.is_peer])
    kinds = {
        kind: _measure(make(), max(1, repeat // 3) if quick else repeat, contenders, 2 if quick else 9)
        for kind, (repeat, make) in KINDS.items()
        if only in kind
    }
    alone = callbacks(quick=quick)
    return {
        "unit": "seconds",
        "versions": versions(),
        "not_installed": missing,
        "kinds": kinds,
        "callbacks": alone,
        "targets": list(targets(alone)),
    }


def _measure(
    run: Run, repeat: int, contenders: list[tuple[Contender, Provider]], rounds: int
) -> dict[str, dict[str, float]]:
    """Return the processor time of one run above LangChain alone: least, median and greatest of the rounds."""
    times: dict[str, list[float]] = {contender.name: [] for contender, _ in contenders}
    for number in range(-1, rounds):  # round -1 warms up
        for contender, provider in contenders:
            before = provider.counter.ended
            contender.switch_on()
            config: RunnableConfig = {"callbacks": contender.callbacks}
            gc.collect()
            start = time.process_time()
            for _ in range(repeat):
                run(config)
            taken = time.process_time() - start
            contender.switch_off()
            if contender.traces and provider.counter.ended == before:
                raise RuntimeError(f"{contender.name} wrote no span: its numbers would mean nothing")
            if number >= 0:
                times[contender.name].append(taken / repeat)
    alone = times.pop(NoHandler.name)
    least = min(alone)
    measured = {NoHandler.name: _summary(alone, 0.0)}
    measured |= {name: _summary(taken, least) for name, taken in times.items()}
    return measured


def _summary(taken: list[float], alone: float) -> dict[str, float]:
    return {
        "least": min(taken) - alone,
        "median": statistics.median(taken) - alone,
        "most": max(taken) - alone,
    }


_ANSWERS: dict[str, tuple[int, int, bool, bool]] = {
    "10 tokens": (100, 10, False, True),
    "10 tokens, not requested": (100, 10, False, False),
    "100 tokens streamed": (20, 100, True, True),
    "2,000 tokens streamed": (1, 2_000, True, True),
    "2,000 tokens streamed, not requested": (1, 2_000, True, False),
}
"""How often it is repeated, how many tokens it has, whether they are streamed, whether they have logprobs."""


def callbacks(*, quick: bool) -> dict[str, dict[str, dict[str, float]]]:
    """Return what our callbacks cost by themselves, called as LangChain calls them, without LangChain."""
    ours = [(kind.name, kind(Provider()).callbacks[0]) for kind in (Ours, OursUnsampled, OursMeters)]
    measured: dict[str, dict[str, dict[str, float]]] = {}
    for kind, (repeat, tokens, streamed, logprobs) in _ANSWERS.items():
        params = PARAMS if logprobs else {"model": MODEL, "temperature": 0.7}
        times: dict[str, list[float]] = {name: [] for name, _ in ours}
        for number in range(-1, 5 if quick else 15):
            for name, handler in ours:
                sent = [_sent(tokens, logprobs=logprobs) for _ in range(repeat)]
                gc.collect()
                start = time.process_time()
                _drive(handler, sent, params, streamed=streamed)
                if number >= 0:
                    times[name].append((time.process_time() - start) / repeat)
        measured[kind] = {name: _summary(taken, 0.0) for name, taken in times.items()}
    return measured


def _drive(handler: Any, sent: Any, params: dict[str, Any], *, streamed: bool) -> None:
    """Call as LangChain does; a function of its own, so that nothing of a round is freed in the time of the next."""
    for pieces, response in sent:
        run_id = uuid4()
        handler.on_chat_model_start({}, [MESSAGES], run_id=run_id, invocation_params=params)
        for text, chunk in pieces if streamed else ():
            handler.on_llm_new_token(text, chunk=chunk, run_id=run_id)
        handler.on_llm_end(response, run_id=run_id)


def _sent(tokens: int, *, logprobs: bool) -> tuple[list[tuple[str, ChatGenerationChunk]], LLMResult]:
    chunks = fresh_chunks(tokens, logprobs=logprobs)
    return [(chunk.text, chunk) for chunk in chunks], result(chunks)


def targets(measured: dict[str, dict[str, dict[str, float]]]) -> Iterator[dict[str, Any]]:
    """Compare with what the project promises."""
    for kind, most in MOST_UNSAMPLED.items():
        share = measured[kind][OursUnsampled.name]["least"] / measured[kind][Ours.name]["least"]
        promise = f"{kind}: unsampled at most {most:.0%} of the sampled cost"
        yield {"target": promise, "value": share, "met": share <= most}
    without, with_them = (
        measured[f"2,000 tokens streamed{more}"][Ours.name]["least"] for more in (", not requested", "")
    )
    promise = "a stream without logprobs costs no more than one with"
    yield {"target": promise, "value": without / with_them, "met": without <= with_them}


def table(kinds: dict[str, dict[str, dict[str, float]]]) -> list[list[str]]:
    """Return the rows of a table: the median in microseconds, and the range."""
    names = list(next(iter(kinds.values())))
    rows = [["run (us)", *names]]
    for kind, measured in kinds.items():
        cells = (measured[name] for name in names)
        rows.append([kind, *map(_shown, cells)])
    return rows


def _shown(taken: dict[str, float]) -> str:
    least, median, most = (f"{taken[name] * 1e6:,.0f}" for name in ("least", "median", "most"))
    return f"{median} ({least} to {most})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--only", default="", help="only the kinds with this in their name")
    parser.add_argument("--no-peers", action="store_true", help="LangChain alone and ours")
    parser.add_argument("--json", action="store_true", help="print the numbers too")
    options = parser.parse_args()
    results = run(quick=options.quick, only=options.only, peers=not options.no_peers)
    for part in ("kinds", "callbacks"):
        print(tables.as_text(table(results[part])))
    print(tables.as_checks(results["targets"]))
    if options.json:
        print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
