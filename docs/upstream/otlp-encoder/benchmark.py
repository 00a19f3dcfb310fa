"""What the patch beside this gives: the same bytes, in what time? Needs opentelemetry-exporter-otlp-proto-common alone.

    python benchmark.py [ROUNDS]

The installed encoder and the patched one take turns in one process; the least processor time of all rounds counts.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from opentelemetry.exporter.otlp.proto.common import _internal

PATCH = Path(__file__).with_name("encode_arrays.patch")
VALUES: dict[str, Any] = {
    "2,000 doubles": [index / 7 for index in range(2_000)],
    "2,000 strings": [f" token{index}" for index in range(2_000)],
    "2,000 ints": list(range(2_000)),
    "2,000 booleans": [index % 3 == 0 for index in range(2_000)],
    "3 strings": ["a", "b", "c"],
    "1 string": ["a"],
    "mixed": [1, "a", 2.0, True, None, b"x", [1, 2], {"a": 1}],
    "empty": [],
    "a tuple": (1.0, 2.0),
    "a string": "a",
}
"""The mixed one, the empty one and those that are no lists must stay as they are."""


def patched() -> ModuleType:
    """Return a copy of the installed module with the patch applied; its context has to be in it."""
    source = Path(str(_internal.__file__)).read_text(encoding="utf-8")
    for hunk in re.split(r"^@@.*@@.*\n", PATCH.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        if source.count(before) != 1:
            raise LookupError("the patch does not fit the installed version: has it been taken in?")
        source = source.replace(before, after)
    module = ModuleType("patched")
    exec(compile(source, "patched", "exec"), module.__dict__)
    return module


def least(encode: Callable[[Any], Any], value: Any, repeat: int) -> float:
    """Return the processor time of one call, over some calls in a row."""
    start = time.process_time()
    for _ in range(repeat):
        encode(value)
    return (time.process_time() - start) / repeat


def main(rounds: int) -> int:
    """Compare."""
    encoders = {"installed": _internal._encode_value, "patched": patched()._encode_value}
    for name, value in VALUES.items():
        encoded = {which: encode(value).SerializeToString() for which, encode in encoders.items()}
        if encoded["installed"] != encoded["patched"]:
            print(f"{name}: other bytes")
            return 1
        repeat = max(1, 2_000 // max(1, len(value)))
        taken = {which: float("inf") for which in encoders}
        for _ in range(rounds):
            for which, encode in encoders.items():
                taken[which] = min(taken[which], least(encode, value, repeat))
        times = taken["installed"] / taken["patched"]
        print(
            f"{name:15} {taken['installed'] * 1e6:9.2f} us installed {taken['patched'] * 1e6:9.2f} us patched"
            f"  {times:5.2f} times as fast, the same {len(encoded['patched']):,} bytes"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 30))
