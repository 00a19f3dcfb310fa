"""What a streamed answer takes on the wire: OTLP bytes of the model call's span and of the whole trace.

The chain is `prompt | model`, streamed. Beside the bytes stands what they hold: how many of the 2,000 logprobs and of
the 10,000 alternatives can be found in the trace again, as doubles or written out in JSON.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import tables
from answer import ENTRIES, TOKENS, TOP, StreamingModel
from contenders import Contender, Ours, Provider, installed, versions
from langchain_core.prompts import ChatPromptTemplate
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

MAX_BYTES = 48_000
"""Of our span for this answer, with default settings."""

_MODEL_CALL = {
    "gen_ai.operation.name": "chat",
    "openinference.span.kind": "LLM",
    "langfuse.observation.type": "generation",
}
"""How the contenders mark the span of a model call."""


def run() -> dict[str, Any]:
    """Measure everybody who writes spans."""
    contenders, missing = installed(lambda: Provider(keep=True))
    sizes = {contender.name: _measure(contender, provider) for contender, provider in contenders if contender.reads}
    ours = sizes[Ours.name]["span"]
    promise = f"the answer's span takes at most {MAX_BYTES:,} bytes with default settings"
    return {
        "tokens": TOKENS,
        "top": TOP,
        "unit": "bytes",
        "versions": versions(),
        "not_installed": missing,
        "sizes": sizes,
        "targets": [{"target": promise, "value": ours, "met": ours <= MAX_BYTES}],
    }


def _measure(contender: Contender, provider: Provider) -> dict[str, int]:
    chain = ChatPromptTemplate.from_messages([("human", "{question}")]) | StreamingModel()
    question = {"question": "How does a river shape the land that it runs through?"}
    contender.switch_on()
    for _ in chain.stream(question, {"callbacks": contender.callbacks}):
        pass
    contender.switch_off()
    spans = provider.counter.spans or []
    (call,) = [span for span in spans if _is_model_call(span)]
    numbers = set(_numbers(spans))
    alternatives = [
        top["logprob"] for entry in ENTRIES for top in entry["top_logprobs"] if top["token"] != entry["token"]
    ]
    return {
        "span": len(encode_spans([call]).SerializeToString()),
        "trace": len(encode_spans(spans).SerializeToString()),
        "spans": len(spans),
        "logprobs_found": sum(entry["logprob"] in numbers for entry in ENTRIES),
        "alternatives_found": sum(logprob in numbers for logprob in alternatives),
        "alternatives": len(alternatives),
    }


def _is_model_call(span: ReadableSpan) -> bool:
    attributes = span.attributes or {}
    return any(attributes.get(key) == value for key, value in _MODEL_CALL.items())


def _numbers(spans: Iterable[ReadableSpan]) -> Iterator[float]:
    """Yield every float on the spans and their events, the ones written out in a text too."""
    for span in spans:
        for attributes in [span.attributes, *(event.attributes for event in span.events)]:
            for value in (attributes or {}).values():
                for each in value if isinstance(value, (list, tuple)) else [value]:
                    if isinstance(each, float):
                        yield each
                    elif isinstance(each, str):
                        yield from map(float, re.findall(r"-?\d+\.\d+(?:e-?\d+)?", each))


def table(results: dict[str, Any]) -> list[list[str]]:
    """Return the rows of the table."""
    rows = [["handler", "model call's span (bytes)", "whole trace (bytes)", "logprobs in it", "alternatives in it"]]
    for name, size in results["sizes"].items():
        rows.append([
            name,
            f"{size['span']:,}",
            f"{size['trace']:,}",
            f"{size['logprobs_found']:,} of {TOKENS:,}",
            f"{size['alternatives_found']:,} of {size['alternatives']:,}",
        ])  # fmt: skip
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail where the target is missed")
    options = parser.parse_args()
    results = run()
    print(tables.as_text(table(results)))
    print(tables.as_checks(results["targets"]))
    return 1 if options.check and not all(target["met"] for target in results["targets"]) else 0


if __name__ == "__main__":
    sys.exit(main())
