"""Where the time of the ending goes, by stage, and what an open run holds in memory.

The stages are timed inside an ordinary run of the handler, so they are what a chain waits for. They are counted a
token, for an answer of plain text, with as many alternatives as there are: none, or the top 5. With `deferred` the
chain waits for next to nothing of it: that is timed by the processor time of the caller's own thread.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock
from uuid import uuid4

import tables
from answer import CHUNKS, ENTRIES, MESSAGES, PARAMS, TOKENS
from contenders import Ours, OursAllAlternatives, Provider
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk, LLMResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
from opentelemetry.sdk.trace import Span

from langchain_logprobs import LogprobsCallbackHandler, Settings
from langchain_logprobs.capture import lifecycle
from langchain_logprobs.telemetry.spans import Telemetry

MAX_DEFERRED = 100e-6
"""Seconds that an ending of 2,000 tokens may take on the caller's thread with `Settings(deferred=True)`."""

STAGES: dict[str, tuple[Any, str]] = {
    "read": (lifecycle, "collect"),
    "report": (lifecycle, "report_on"),
    "record": (Telemetry, "record_call"),
    "of that, the SDK": (Span, "set_attributes"),
    "whole ending": (LogprobsCallbackHandler, "on_llm_end"),
}
"""What is timed, by the name that the ending calls it by. `report_on` measures, and looks for stretches and fields."""


def without_alternatives() -> list[ChatGenerationChunk]:
    """Return the chunks of the same answer, asked for with `logprobs` alone."""
    chunks = []
    for entry in ENTRIES:
        content = [{**entry, "top_logprobs": []}]
        info = {"logprobs": {"content": content, "refusal": None}}
        chunks.append(ChatGenerationChunk(message=AIMessageChunk(content=entry["token"]), generation_info=info))
    return chunks


CASES: dict[str, tuple[type[Ours], Callable[[], list[ChatGenerationChunk]]]] = {
    "logprobs alone": (Ours, without_alternatives),
    "top 5, default settings": (Ours, lambda: CHUNKS),
    "top 5, alternatives of all tokens": (OursAllAlternatives, lambda: CHUNKS),
}


class OursDeferred(Ours):
    """The ending done by a thread of ours."""

    settings = Settings(deferred=True)


def run(*, quick: bool) -> dict[str, Any]:
    """Measure the stages, what is left of them with `deferred`, and the memory."""
    rounds = 8 if quick else 40
    waits = {kind.__name__: _waits(kind, rounds) for kind in (Ours, OursDeferred)}
    deferred = waits[OursDeferred.__name__]["least"]
    return {
        "tokens": TOKENS,
        "unit": "seconds",
        "stages": {name: _stages(kind, chunks(), rounds) for name, (kind, chunks) in CASES.items()},
        "memory": memory(),
        "waits": waits,
        "targets": [
            {
                "target": f"deferred: at most {MAX_DEFERRED * 1e6:.0f} us of the caller's thread for {TOKENS:,} tokens",
                "value": deferred * 1e6,
                "met": deferred <= MAX_DEFERRED,
            }
        ],
    }


def _waits(kind: type[Ours], rounds: int) -> dict[str, float]:
    """Return what the end of a streamed call takes of the caller's thread, and how long the caller waits for it."""
    (callback,) = kind(Provider()).callbacks
    assert isinstance(callback, LogprobsCallbackHandler)
    merged = merge_chat_generation_chunks(CHUNKS)
    assert merged is not None
    response = LLMResult(generations=[[merged]])
    threads, walls = [], []
    for _ in range(rounds + 1):
        run_id = uuid4()
        _start_and_feed(callback, run_id, CHUNKS)
        gc.collect()
        thread, wall = time.thread_time(), time.perf_counter()
        callback.on_llm_end(response, run_id=run_id)
        threads.append(time.thread_time() - thread)
        walls.append(time.perf_counter() - wall)
        callback.flush()
    # The first one starts the thread.
    return {"least": min(threads[1:]), "median": statistics.median(threads[1:]), "wall": statistics.median(walls[1:])}


def _stages(kind: type[Ours], chunks: list[ChatGenerationChunk], rounds: int) -> dict[str, float]:
    """Return the smallest time of each stage over all rounds."""
    (callback,) = kind(Provider()).callbacks
    merged = merge_chat_generation_chunks(chunks)
    assert merged is not None
    response = LLMResult(generations=[[merged]])
    least: dict[str, float] = {}
    for _ in range(rounds):
        gc.collect()
        with _timed() as taken:
            _start_and_feed(callback, uuid4(), chunks, response)
        for stage, seconds in taken.items():
            least[stage] = min(seconds, least.get(stage, seconds))
    return least


def _start_and_feed(
    callback: Any, run_id: Any, chunks: list[ChatGenerationChunk], response: LLMResult | None = None
) -> None:
    callback.on_chat_model_start({}, [MESSAGES], run_id=run_id, invocation_params=PARAMS)
    for chunk in chunks:
        callback.on_llm_new_token(chunk.text, chunk=chunk, run_id=run_id)
    if response is not None:
        callback.on_llm_end(response, run_id=run_id)


@contextlib.contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Add up the time spent in each stage while the context is open."""
    taken = dict.fromkeys(STAGES, 0.0)

    def timer(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                taken[stage] += time.thread_time() - start

        return call

    with contextlib.ExitStack() as patches:
        for stage, (owner, name) in STAGES.items():
            patches.enter_context(mock.patch.object(owner, name, timer(stage, getattr(owner, name))))
        yield taken


def memory() -> dict[str, float]:
    """Return the bytes that an open run holds, and each of its chunks, beside what LangChain keeps anyway."""
    (callback,) = Ours(Provider()).callbacks
    runs = 1_000
    run_ids = [uuid4() for _ in range(runs + 2)]
    _start_and_feed(callback, run_ids[-1], CHUNKS)  # what is made once is made now
    tracemalloc.start()
    empty = _held()
    for run_id in run_ids[:runs]:
        _start_and_feed(callback, run_id, [])
    opened = _held()
    _start_and_feed(callback, run_ids[runs], CHUNKS)
    fed = _held()
    tracemalloc.stop()
    assert isinstance(callback, LogprobsCallbackHandler)
    callback.close()
    return {"bytes_per_open_run": (opened - empty) / runs, "bytes_per_chunk": (fed - opened) / len(CHUNKS)}


def _held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def table(results: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table: microseconds a token."""
    cases = results["stages"]
    rows = [["stage of the ending", *(f"{name} (us a token)" for name in cases)]]
    for stage in STAGES:
        rows.append([stage, *(f"{stages[stage] / TOKENS * 1e6:.2f}" for stages in cases.values())])
    return rows


def waits_table(results: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table on what the caller waits for: microseconds an ending."""
    rows = [["the caller's thread", "processor, least (us)", "processor, median (us)", "clock, median (us)"]]
    for name, waits in results["waits"].items():
        kind = "deferred" if name == OursDeferred.__name__ else "as ever"
        rows.append([kind, *(f"{waits[each] * 1e6:,.0f}" for each in ("least", "median", "wall"))])
    return rows


def memory_table(results: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table on memory."""
    held = results["memory"]
    return [
        ["memory", "bytes"],
        ["an open model call", f"{held['bytes_per_open_run']:,.0f}"],
        ["each chunk of it", f"{held['bytes_per_chunk']:,.0f}"],
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    results = run(quick=parser.parse_args().quick)
    print(tables.as_text(table(results)))
    print(tables.as_text(waits_table(results)))
    print(tables.as_checks(results["targets"]))
    print(tables.as_text(memory_table(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
