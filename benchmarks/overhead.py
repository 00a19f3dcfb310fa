"""What a handler costs: everybody side by side in one run, in rounds, so that a busy machine is busy for all.

Two drives. `direct` calls LangChain's callback manager 2,000 times with a chunk and then once with the merged result:
nothing but the callbacks is in the time. `streamed` is a fake chat model's whole `stream` or `astream`, in which
LangChain's own work (it merges all chunks) is the larger part for everybody.

What is compared is the processor time of the process, all threads together, the least of all rounds: on a machine that
others use too, the clock on the wall measures them. It favours the handlers that LangChain calls in a thread pool, as
their waiting does not count. The wall clock stands in the JSON. Every run gets chunks that nobody has touched, as from
a client.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import tables
from answer import MESSAGES, METADATA, PARAMS, TOKENS, StreamingModel, fresh_chunks, result
from contenders import (
    PEERS,
    AppendOnly,
    Contender,
    Ours,
    OursAllAlternatives,
    OursExported,
    Provider,
    installed,
    versions,
)
from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.outputs import LLMResult


class Sent(NamedTuple):
    """What a model sends in one run; every run has fresh ones, which are made before its time is taken.

    Attributes:
        pieces: The text of each chunk, and the chunk.
        result: What LangChain makes of them.
        model: A model that streams them.
    """

    pieces: list[tuple[str, Any]]
    result: LLMResult
    model: StreamingModel


Drive = Callable[[Contender, Sent], Awaitable[None]]

MAX_TIMES_FLOOR = {
    ("direct, sync", Ours.name): 3.0,
    ("direct, async", Ours.name): 2.0,
    ("direct, sync", OursExported.name): 4.0,
}
"""Ours with default settings, the ending included, driven directly, as a multiple of the append-only floor.

There is no such promise for the alternatives of all tokens: in synchronous code most of it goes to OpenTelemetry's SDK
alone, handed the finished arrays.
"""

_SERIALIZED = {"lc": 1, "type": "constructor", "id": ["langchain", "chat_models", "openai", "ChatOpenAI"], "kwargs": {}}
_START: dict[str, Any] = {"invocation_params": PARAMS, "options": {"stop": None}, "name": None, "batch_size": 1}


def send() -> Sent:
    chunks = fresh_chunks()
    return Sent([(chunk.text, chunk) for chunk in chunks], result(chunks), StreamingModel(chunks=chunks))


async def direct_sync(contender: Contender, sent: Sent) -> None:
    manager = CallbackManager.configure(contender.callbacks, inheritable_metadata=METADATA)
    (run,) = manager.on_chat_model_start(_SERIALIZED, [MESSAGES], **_START)
    for token, chunk in sent.pieces:
        run.on_llm_new_token(token, chunk=chunk)
    run.on_llm_end(sent.result)


async def direct_async(contender: Contender, sent: Sent) -> None:
    manager = AsyncCallbackManager.configure(contender.callbacks, inheritable_metadata=METADATA)
    (run,) = await manager.on_chat_model_start(_SERIALIZED, [MESSAGES], **_START)
    for token, chunk in sent.pieces:
        await run.on_llm_new_token(token, chunk=chunk)
    await run.on_llm_end(sent.result)


async def streamed_sync(contender: Contender, sent: Sent) -> None:
    for _ in sent.model.stream(MESSAGES, {"callbacks": contender.callbacks}):
        pass


async def streamed_async(contender: Contender, sent: Sent) -> None:
    async for _ in sent.model.astream(MESSAGES, {"callbacks": contender.callbacks}):
        pass


DRIVES: dict[str, Drive] = {
    "direct, sync": direct_sync,
    "direct, async": direct_async,
    "streamed, sync": streamed_sync,
    "streamed, async": streamed_async,
}
DIRECT = ("direct, sync", "direct, async")


def run(*, quick: bool, only: list[str] | None = None, peers: bool = True) -> dict[str, Any]:
    """Measure everybody.

    Args:
        quick: Few rounds.
        only: The drives to run; None for all.
        peers: Whether the peers take part.

    Returns:
        The seconds of each contender on each drive, the targets, and who was missing.
    """
    contenders, missing = installed(Provider)
    if not peers:
        contenders = [each for each in contenders if not each[0].is_peer]
    drives: dict[str, Any] = {}
    # One loop for everything: the sync drives inside it too, for which nothing changes, and the async ones share its
    # threads, so that nobody pays for starting them.
    with asyncio.Runner() as runner:
        for name, drive in DRIVES.items():
            if only is None or name in only:
                rounds, peer_every = (6, 6) if quick else (40, 5)
                if name.startswith("streamed"):
                    rounds = max(3, rounds // 2)
                drives[name] = runner.run(_measure(drive, contenders, rounds, peer_every))
    return {
        "tokens": TOKENS,
        "unit": "seconds",
        "versions": versions(),
        "not_installed": missing,
        "drives": drives,
        "targets": targets(drives),
    }


async def _measure(
    drive: Drive, contenders: list[tuple[Contender, Provider]], rounds: int, peer_every: int
) -> dict[str, Any]:
    times: dict[str, list[tuple[float, float]]] = {contender.name: [] for contender, _ in contenders}
    for number in range(-1, rounds):  # round -1 warms up
        shift = number % len(contenders)
        for contender, provider in contenders[shift:] + contenders[:shift]:
            if contender.is_peer and number % peer_every and number >= 0:
                continue  # peers take up to a hundred times as long, and differ by more than the noise
            before = provider.counter.ended
            sent = send()
            contender.switch_on()
            # What a round before left behind must not be collected in this one. The collector stays on: its runs,
            # which our tuples set off, are part of the price.
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            await drive(contender, sent)
            contender.finish()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            contender.switch_off()
            if contender.traces and provider.counter.ended == before:
                raise RuntimeError(f"{contender.name} wrote no span: its numbers would mean nothing")
            if number >= 0:
                times[contender.name].append((wall, cpu))
    return {name: _summary(taken) for name, taken in times.items()}


def _summary(taken: list[tuple[float, float]]) -> dict[str, float]:
    walls, cpus = zip(*taken, strict=True)
    return {
        "cpu": min(cpus),
        "cpu_median": statistics.median(cpus),
        "cpu_most": max(cpus),
        "wall": min(walls),
        "wall_median": statistics.median(walls),
        "rounds": len(taken),
    }


def targets(drives: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare with what the project promises."""
    checked = []
    for drive in DIRECT:
        times = {name: taken["cpu"] for name, taken in drives.get(drive, {}).items()}
        for (promised, name), most in MAX_TIMES_FLOOR.items():
            if promised == drive and name in times:
                ratio = times[name] / times[AppendOnly.name]
                promise = f"{drive}: {name} at most {most:g} times the append-only floor"
                checked.append({"target": promise, "value": ratio, "met": ratio <= most})
        for peer in PEERS:
            if drive.endswith("async") and peer.name in times:
                ratio = times[OursAllAlternatives.name] / times[peer.name]
                promise = f"{drive}: with the alternatives of all tokens less than {peer.name}"
                checked.append({"target": promise, "value": ratio, "met": ratio < 1.0})
    return checked


def table(results: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table: least, median and greatest time of each contender, and its least of the floor's."""
    drives = results["drives"]
    driven = {f"{name}, of the floor": times for name, times in drives.items() if name in DIRECT}
    rows = [["handler", *(f"{name} (ms)" for name in drives), *driven]]
    for contender in next(iter(drives.values())):
        rows.append([
            contender,
            *(_shown(times[contender]) for times in drives.values()),
            *(f"{times[contender]['cpu'] / times[AppendOnly.name]['cpu']:.1f}" for times in driven.values()),
        ])  # fmt: skip
    return rows


def _shown(taken: dict[str, float]) -> str:
    return " / ".join(f"{taken[each] * 1e3:.1f}" for each in ("cpu", "cpu_median", "cpu_most"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--only", action="append", choices=DRIVES, help="run this drive alone; may be repeated")
    parser.add_argument("--no-peers", action="store_true", help="the floors and ours alone")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    options = parser.parse_args()
    results = run(quick=options.quick, only=options.only, peers=not options.no_peers)
    print(tables.as_text(table(results)))
    print(tables.as_checks(results["targets"]))
    return 1 if options.check and not all(target["met"] for target in results["targets"]) else 0


if __name__ == "__main__":
    sys.exit(main())
