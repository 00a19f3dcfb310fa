"""What it costs to read and to measure an answer, by its shape, and how that compares with another checkout.

    python benchmarks/reading.py                       this checkout alone
    python benchmarks/reading.py --before ../before    beside another one (git worktree add ../before <commit>)

The two are run in turn, each in processes of its own, and the least processor time of all rounds counts: a machine
that others use as well makes both slower, not one of them.
"""

from __future__ import annotations

import argparse
import copy
import functools
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import tables

HERE = Path(__file__).parent
STAGES = ("read", "measure", "ending")
"""Reading the chunks of a stream; measuring its tokens; all of what a chain waits for when the run ends."""

Entries = list[dict[str, Any]]


def _plain(entries: Entries) -> Entries:
    return entries


def _censored(entries: Entries) -> Entries:
    """One token in a hundred is a sentinel, and one alternative in twenty."""
    for index, entry in enumerate(entries):
        if index % 100 == 50:
            entry["logprob"] = -9999.0
        if index % 4 == 0:
            entry["top_logprobs"][-1]["logprob"] = -9999.0
    return entries


def _ragged(entries: Entries) -> Entries:
    """Every tenth position has fewer alternatives."""
    for index, entry in enumerate(entries):
        if index % 10 == 0:
            del entry["top_logprobs"][index // 10 % 5 :]
    return entries


def _unsorted(entries: Entries) -> Entries:
    """The sampled token comes first, whatever its rank, as vLLM sends it; the rest as they fall."""
    for entry in entries:
        tops = entry["top_logprobs"]
        own = [top for top in tops if top["token"] == entry["token"]]
        entry["top_logprobs"] = own + [top for top in tops if top["token"] != entry["token"]][::-1]
    return entries


def _all_three(entries: Entries) -> Entries:
    return _ragged(_unsorted(_censored(entries)))


def _unknown(entries: Entries) -> Entries:
    """One logprob is null: the answer is read with care, entry by entry."""
    entries[1]["logprob"] = None
    return entries


SHAPES: dict[str, Callable[[Entries], Entries]] = {
    "plain": _plain,
    "censored": _censored,
    "ragged": _ragged,
    "unsorted": _unsorted,
    "all three": _all_three,
    "one null": _unknown,
}
BY_HAND = "list by hand"
"""A list of TokenLogprob that a user made; only measured."""


def work(rounds: int) -> dict[str, dict[str, float]]:
    """Return the least seconds of each stage by shape, in the checkout that stands in PYTHONPATH."""
    from answer import ENTRIES, MESSAGES, PARAMS
    from langchain_core.messages import AIMessageChunk
    from langchain_core.outputs import ChatGenerationChunk, LLMResult
    from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
    from opentelemetry.sdk.trace import TracerProvider

    from langchain_logprobs import Alternative, LogprobsCallbackHandler, TokenLogprob, measure

    try:
        from langchain_logprobs.capture.received import collect
    except ImportError:  # --before names a checkout in which it still stood elsewhere
        from langchain_logprobs.capture import collect  # type: ignore[attr-defined,no-redef]

    handler = LogprobsCallbackHandler(tracer_provider=TracerProvider())
    results: dict[str, dict[str, float]] = {}
    for shape, change in SHAPES.items():
        entries = change(copy.deepcopy(ENTRIES))
        containers: list[dict[str, Any]] = [{"content": [entry], "refusal": None} for entry in entries]
        chunks = [
            ChatGenerationChunk(
                message=AIMessageChunk(content=container["content"][0]["token"]),
                generation_info={"logprobs": container},
            )
            for container in containers
        ]
        merged = merge_chat_generation_chunks(chunks)
        assert merged is not None
        response = LLMResult(generations=[[merged]])
        pieces = [item for container in containers for item in (0, container["content"][0]["token"], container)]
        tokens = collect(pieces, None).choices[0].reading.tokens

        def end(chunks: list[Any] = chunks, response: Any = response) -> Callable[[], object]:
            run_id = uuid4()
            handler.on_chat_model_start({}, [MESSAGES], run_id=run_id, invocation_params=PARAMS)
            for chunk in chunks:
                handler.on_llm_new_token(chunk.text, chunk=chunk, run_id=run_id)
            return lambda: handler.on_llm_end(response, run_id=run_id)

        results[shape] = {
            "read": _least(rounds, functools.partial(functools.partial, collect, pieces, None)),
            "measure": _least(rounds, functools.partial(functools.partial, measure, tokens)),
            "ending": _least(rounds, end),
        }
    by_hand = [
        TokenLogprob(
            each["token"],
            each["logprob"],
            bytes(each["bytes"]),
            tuple(Alternative(top["token"], top["logprob"], bytes(top["bytes"])) for top in each["top_logprobs"]),
        )
        for each in ENTRIES
    ]
    results[BY_HAND] = {"measure": _least(rounds, lambda: lambda: measure(by_hand))}
    return results


def _least(rounds: int, prepare: Callable[[], Callable[[], object]]) -> float:
    least = float("inf")
    for _ in range(rounds):
        run = prepare()
        gc.collect()
        start = time.process_time()
        run()
        least = min(least, time.process_time() - start)
    return least


def run(before: Path | None, *, quick: bool) -> dict[str, dict[str, dict[str, float]]]:
    """Return the results of each checkout by its name."""
    checkouts = {"after": HERE.parent} if before is None else {"before": before.resolve(), "after": HERE.parent}
    results: dict[str, dict[str, dict[str, float]]] = {}
    for _ in range(1 if quick else 4):
        for name, checkout in checkouts.items():
            command = [sys.executable, __file__, "--work", "4" if quick else "8"]
            environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
            found = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
            for shape, stages in found.items():
                kept = results.setdefault(name, {}).setdefault(shape, stages)
                kept.update({stage: min(seconds, kept[stage]) for stage, seconds in stages.items()})
    return results


def table(results: dict[str, dict[str, dict[str, float]]]) -> list[list[str]]:
    """Return the rows of the table: milliseconds, and how much longer it took before."""
    both = "before" in results
    rows = [["2,000 tokens, top 5", *(f"{stage} (ms)" for stage in STAGES)]]
    for shape, stages in results["after"].items():
        cells = []
        for stage in STAGES:
            if stage not in stages:
                cells.append("")
            elif both:
                before = results["before"][shape][stage]
                cells.append(f"{before * 1e3:.2f} -> {stages[stage] * 1e3:.2f} ({before / stages[stage]:.2f}x)")
            else:
                cells.append(f"{stages[stage] * 1e3:.2f}")
        rows.append([shape, *cells])
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout, measured in the same run")
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        print(json.dumps(work(arguments.work)))
    else:
        print(tables.as_text(table(run(arguments.before, quick=arguments.quick))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
