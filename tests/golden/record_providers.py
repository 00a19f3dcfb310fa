"""Records what every row of the table of providers makes LangChain hand to the callbacks, on every path.

An environment has some of the packages only (see tests/providers/requirements-*.txt): rows whose package is missing
keep what was recorded before.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import importlib.util
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_logprobs import recover_dropped_logprobs

from .recording import CallbackRecorder, Record, load_records, save_records
from .replay import Replayer

FILE = "providers"
PATHS = ("invoke", "ainvoke", "stream", "astream", "v3", "av3")


def record() -> tuple[int, int]:
    """Record the rows whose packages are installed here.

    Returns:
        How many records were made, and how many the file has now.
    """
    # LiteLLM fetches a price list over the network when it is imported, unless told to use its own.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    sys.path[:0] = [str(Path(__file__).parents[1] / "providers")]
    rows = importlib.import_module("table").ROWS
    names = [str(row) for row in rows]
    assert len(names) == len(set(names)), "two rows of one name"
    kept: dict[str, Record] = {}
    with contextlib.suppress(FileNotFoundError):
        kept = {record.name: record for record in load_records(FILE)}
    made = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for row in rows:
            if importlib.util.find_spec(row.module.split(".")[0]) is None:
                continue
            made.update({each.name: each for each in _records(row)})
            gc.collect()  # SDKs leave event loops open; what they say then belongs to this row
    order = {name: index for index, name in enumerate(names)}
    every = sorted({**kept, **made}.values(), key=lambda each: (order[each.name.split("/")[0]], each.name))
    save_records(FILE, every)
    return len(made), len(every)


def _records(row: Any) -> Iterator[Record]:
    for path in PATHS:
        kind = path.removeprefix("a")
        if {"invoke": row.invoke, "stream": row.stream, "v3": row.v3}[kind] is None:
            continue
        if path.startswith("a") and row.no_async:
            continue
        yield _recorded(row, path, f"{row}/{path}")
        if row.asks and path == "invoke":
            yield _recorded(row, path, f"{row}/{path}/nobody asked", ask=False)
        if row.recovery and kind != "v3":
            undo = recover_dropped_logprobs(row.recovery)
            try:
                yield _recorded(row, path, f"{row}/{path}/recovered")
            finally:
                undo()


def _recorded(row: Any, path: str, name: str, *, ask: bool = True) -> Record:
    recorder, live = CallbackRecorder(), Replayer()
    stood_in = {each: sys.modules.get(each) for each in row.stands_in}
    sys.modules.update({each: make() for each, make in row.stands_in.items()})
    try:
        with importlib.import_module("wire").WireServer() as wire:
            wire.answer("*", row.serve)
            model = row.make(wire.url, ask=ask)
            try:
                returned = _call(model, path, {"callbacks": [recorder, live.handler]})
            except TypeError as error:  # LangChain cannot merge these chunks
                returned = None
                print(f"{name}: {error}")
    finally:
        for each, before in stood_in.items():
            if before is None:
                del sys.modules[each]
            else:
                sys.modules[each] = before
    made = recorder.record(name, returned)
    live.check(made)
    return made


def _call(model: Any, path: str, config: dict[str, Any]) -> Any:
    async def astream() -> list[Any]:
        stream = (
            model.astream("hi", config) if path == "astream" else await model.astream_events("hi", config, version="v3")
        )
        return [part async for part in stream]

    if path == "invoke":
        return model.invoke("hi", config)
    if path == "ainvoke":
        return asyncio.run(model.ainvoke("hi", config))
    if path.startswith("a"):
        parts = asyncio.run(astream())
    else:
        parts = list(
            model.stream("hi", config) if path == "stream" else model.stream_events("hi", config, version="v3")
        )
    if path.endswith("v3"):
        return None
    whole = parts[0]
    for part in parts[1:]:
        whole = whole + part
    return whole
