"""Does the work on an answer grow with its size, and no faster? Every shape that was once worse, and others.

For each shape an answer of N and one of 2N are measured: processor time (the best of several) and the peak of what is
allocated. The time of 2N is at most 2.5 times that of N, and the memory too. Behind the shapes come some answers that
once cost a second or a gigabyte, whole through the handler, each with what it may take now.

    python benchmarks/growth.py [--check] [--seconds S] [--only TEXT]
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from opentelemetry.sdk.trace import TracerProvider

from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.tool_calls import tool_call_confidences
from langchain_logprobs.formats.tokens import Alternative, TokenLogprob

MOST = 2.5
OTHERS = tuple(Alternative(f"lab{number}", -2.0 - number) for number in range(20))
Work = Callable[[], object]


def cut(text: str, size: int = 4, alternatives: tuple[Alternative, ...] = ()) -> list[TokenLogprob]:
    """A text as tokens of a few characters."""
    return [TokenLogprob(text[at : at + size], -0.1, None, alternatives) for at in range(0, len(text), size)]


def fields(text: str, schema: object = None, **options: Any) -> Work:
    """The fields of a text."""
    tokens = cut(text, **options)
    return lambda: field_confidences(tokens, text, schema=schema)


def calls(size: int) -> Work:
    """The arguments of parallel tool calls, each with an enumeration."""
    made = [{"name": "f", "args": {"a": n, "b": "steel"}, "id": str(n)} for n in range(size)]
    tokens = cut("".join(json.dumps(call["args"]) for call in made), 3)
    schemas = {"f": {"properties": {"b": {"enum": ["steel", "iron"]}}}}
    return lambda: tool_call_confidences(tokens, made, schemas=schemas)


def marked_calls(size: int) -> Work:
    """The same call again and again, in the markup of a chat template."""
    made = [{"name": "f", "args": {"a": 1}, "id": str(n)} for n in range(size)]
    tokens = cut('<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>\n' * size, 3)
    return lambda: tool_call_confidences(tokens, made)


def enumeration(size: int) -> dict[str, Any]:
    """An array of values from a list of this many."""
    return {"type": "array", "items": {"enum": [f"label_{number}" for number in range(size)]}}


def repeated(size: int, *, nested: bool = False) -> str:
    """An object whose keys all come twice."""
    value = '{"x":[1,{"y":2}]}' if nested else "0"
    return "{" + ",".join(f'"k{number}":{value}' for number in [*range(size), *range(size)]) + "}"


def deep(size: int) -> str:
    """Many nests of a hundred levels."""
    return "[" + ",".join(["[" * 100 + "1" + "]" * 100] * size) + "]"


def union(size: int) -> dict[str, Any]:
    """A place where one of many constants stands, each in a branch of its own."""
    return {"items": {"anyOf": [{"const": f"label_{number}"} for number in range(size)]}}


def ending(entries: list[dict[str, Any]], text: str, tool_calls: list[Any], schema: object = None) -> Work:
    """A model call through a handler of default settings, from its start to its end."""
    handler = LogprobsCallbackHandler(tracer_provider=TracerProvider(shutdown_on_exit=False))
    info = {"logprobs": {"content": entries}}
    message = AIMessage(text, tool_calls=tool_calls)
    result = LLMResult(generations=[[ChatGeneration(message=message, generation_info=info)]])
    options = {} if schema is None else {"ls_structured_output_format": {"schema": schema}}

    def run() -> None:
        run_id = uuid4()
        handler.on_chat_model_start({}, [[]], run_id=run_id, invocation_params={"logprobs": True}, options=options)
        handler.on_llm_end(result, run_id=run_id)

    return run


def entries_of(tokens: list[TokenLogprob]) -> list[dict[str, Any]]:
    """Tokens in OpenAI's form."""
    return [
        {
            "token": each.token,
            "logprob": each.logprob,
            "top_logprobs": [{"token": other.token, "logprob": other.logprob} for other in each.alternatives],
        }
        for each in tokens
    ]


def whole(text: str, low_every: int) -> Work:
    """An answer of plain text, whole through the handler, in which every so manieth token is low."""
    entries = entries_of(cut(text))
    for entry in entries[::low_every]:
        entry["logprob"] = -3.0
    return ending(entries, text, [])


SHAPES: dict[str, tuple[int, Callable[[int], Work]]] = {
    "long key over many values": (24_000, lambda n: fields('{"' + "k" * n + '":[' + ",".join(["0"] * (n // 2)) + "]}")),
    "long keys in each other": (200, lambda n: fields(('{"' + "k" * 50 * n + '":') * 4 + '[0,"x"]' + "}" * 4)),
    "repeated keys": (5_000, lambda n: fields(repeated(n))),
    "repeated keys over containers": (1_500, lambda n: fields(repeated(n, nested=True))),
    "many numbers": (10_000, lambda n: fields("[" + ",".join(["12"] * n) + "]")),
    "many texts": (6_000, lambda n: fields("[" + ",".join(['"steel bolt"'] * n) + "]", alternatives=OTHERS[:3])),
    "many booleans and alternatives": (
        3_000, lambda n: fields("[" + ",".join(["true"] * n) + "]", alternatives=OTHERS)),
    "many empty values": (8_000, lambda n: fields("[" + ",".join(['""', "{}", "[]"] * (n // 3)) + "]")),
    "one token for everything": (10_000, lambda n: fields("[" + ",".join(["true"] * n) + "]", size=10**9)),
    "one token for everything, pretty": (5_000, lambda n: fields(json.dumps([True, "x"] * n, indent=8), size=10**9)),
    "a token of a large part": (
        8_000, lambda n: fields("[" + ",".join(["true"] * n) + "]", size=n, alternatives=OTHERS)),
    "items of an enumeration": (
        300, lambda n: fields(json.dumps(enumeration(n)["items"]["enum"]), enumeration(n), alternatives=OTHERS)),
    "items of a union of constants": (
        300, lambda n: fields(json.dumps(enumeration(n)["items"]["enum"]), union(n), alternatives=OTHERS)),
    "optional texts": (2_000, lambda n: fields(
        "[" + ",".join(['"steel"', "null"] * n) + "]", {"items": {"type": ["string", "null"]}}, alternatives=OTHERS)),
    "keys that the schema does not name": (3_000, lambda n: fields(
        json.dumps({f"k{number}": "a" for number in range(n)}), {"additionalProperties": {"enum": ["a", "b"]}})),
    "nested": (60, lambda n: fields(deep(n))),
    "objects": (1_500, lambda n: fields(json.dumps([{"id": number, "ok": True} for number in range(n)]))),
    "JSON lines": (1_500, lambda n: fields("\n".join(['{"id": 1, "ok": true}'] * n))),
    "documents in prose": (1_500, lambda n: fields("Another: {\"id\": 1} and so on. " * n)),
    "documents in fences": (1_500, lambda n: fields("Now:\n```json\n{\"id\": 1}\n```\n" * n)),
    "brackets in prose": (15_000, lambda n: fields("see [x] {y} " * n)),
    "open brackets": (20_000, lambda n: fields("{ " * n)),
    "open fences": (10_000, lambda n: fields("```json\n" * n)),
    "long text": (40_000, lambda n: fields('{"a":"' + "word " * n + '"}')),
    "escapes": (20_000, lambda n: fields('{"a":"' + "\\u00e9\\n" * n + '"}')),
    "characters of several bytes": (8_000, lambda n: fields("[" + ",".join(['"日本"'] * n) + "]", size=3)),
    "cut off": (8_000, lambda n: fields('[{"a":' * 20 + "[" + ",".join(["1.5"] * n))),
    "an unbroken word, every third token low": (12_000, lambda n: whole("QmFzZTY0" * n, low_every=3)),
    "prose through the handler": (4_000, lambda n: whole("word " * n, low_every=7)),
    "tool calls": (160, calls),
    "tool calls in markup": (160, marked_calls),
}  # fmt: skip


def long_key() -> Work:
    """96 KB of JSON: a key of half of it over 24,000 zeros."""
    text = '{"' + "k" * 48_000 + '":[' + ",".join(["0"] * 24_000) + "]}"
    return ending(entries_of(cut(text)), text, [])


def many_tool_calls() -> Work:
    """160 parallel tool calls, whose tokens a server sends."""
    made = [{"name": "f", "args": {"a": n, "b": "steel"}, "id": str(n), "type": "tool_call"} for n in range(160)]
    return ending(entries_of(cut("".join(json.dumps(call["args"]) for call in made), 3)), "", made)


def many_labels() -> Work:
    """100 items of an enumeration of 10,000 labels, with 20 alternatives a token."""
    schema = {"title": "Labels", **enumeration(10_000)}
    text = json.dumps(schema["items"]["enum"][:100])
    return ending(entries_of(cut(text, alternatives=OTHERS)), text, [], schema)


PROMISES: dict[str, tuple[Callable[[], Work], str, float]] = {
    "an answer of 96 KB, a long key over 24,000 values": (long_key, "MB", 40.0),
    "160 tool calls": (many_tool_calls, "ms", 80.0),
    "100 items of an enumeration of 10,000 labels": (many_labels, "ms", 200.0),
}
"""What a call of a kind may take at most: processor time, or the peak of what is allocated."""


def seconds(work: Work, most: float) -> float:
    """The least processor time of several runs, at least five, which take about as long as asked for."""
    best, began, runs = float("inf"), time.process_time(), 0
    while runs < 5 or time.process_time() - began < most:
        runs += 1
        gc.collect()
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def peak(work: Work) -> int:
    """The most bytes that were allocated at once, the result included."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        del kept
        tracemalloc.stop()


def _kept(name: str, most_seconds: float) -> bool:
    """Measure one of the promises, and say whether it is kept."""
    make, unit, most = PROMISES[name]
    work = make()
    value = peak(work) / 1e6 if unit == "MB" else seconds(work, most_seconds) * 1e3
    print(f"{'met   ' if value <= most else 'MISSED'}  {value:8.1f} of {most:.0f} {unit}: {name}", flush=True)
    return value <= most


def main() -> int:
    """Measure every shape, print the growth, and check it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail where a shape grows faster than its size")
    parser.add_argument("--seconds", type=float, default=0.6, help="processor time for each measurement")
    parser.add_argument("--only", default="", help="only the shapes with this in their name")
    options = parser.parse_args()
    failed = 0
    print(f"{'shape':36} {'N':>7} {'ms':>9} {'2N: ms':>9} {'times':>6} {'MB':>7} {'2N: MB':>7} {'times':>6}")
    for name, (size, make) in SHAPES.items():
        if options.only not in name:
            continue
        small, large = make(size), make(2 * size)
        times = seconds(small, options.seconds), seconds(large, options.seconds * 2)
        bytes_ = peak(small), peak(large)
        grown = times[1] / times[0], bytes_[1] / max(bytes_[0], 100_000)
        bad = max(grown) > MOST
        failed += bad
        print(
            f"{name:36} {size:7} {times[0] * 1e3:9.1f} {times[1] * 1e3:9.1f} {grown[0]:6.2f} {bytes_[0] / 1e6:7.2f}"
            f" {bytes_[1] / 1e6:7.2f} {grown[1]:6.2f}{'  MISSED' if bad else ''}",
            flush=True,
        )
    failed += sum(not _kept(name, options.seconds) for name in PROMISES if options.only in name)
    return 1 if options.check and failed else 0


if __name__ == "__main__":
    sys.exit(main())
