"""Runs the Python code blocks of one page of the documentation, in their order: `python -m tests.run_page PAGE`.

A page is run as a reader would run it, in a process of its own: the code of README.md switches things on for the whole
process. Only the far end is ours: what it asks OpenAI for, and where it sends spans to, is a server on this machine.
Blocks in comments (`<!--- invisible-code-block: python`) check what the others have left.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from sybil import Document
from sybil.parsers.markdown import PythonCodeBlockParser

from tests.providers.wire import Body, Request, WireServer, json_body
from tests.support import completion, entry, openai_answer

Token = tuple[str, float] | tuple[str, float, dict[str, float]]

ANSWERS: dict[str, list[Token]] = {
    "Eiffel": [("Stephen", 0.55, {"Gust": 0.41}), (" Sauvestre", 0.9), (", ", 0.95), ("1884", 0.18, {"1887": 0.44})],
    "kettle": [
        ('{"product": "', 0.99),
        ("kettle", 0.97),
        ('", "opinion": "', 0.99),
        ("mixed", 0.62, {"bad": 0.33, "good": 0.04}),
        ('", "weeks_used": ', 0.99),
        ("2", 0.96),
        ("}", 0.99),
    ],
    "invoice": [('{"total": ', 0.99), ("97", 0.31, {"79": 0.6}), (', "paid": ', 0.99), ("true", 0.98), ("}", 0.99)],
}
"""What the model answers to a prompt with this word in it; to others the first."""


def entries_of(tokens: list[Token]) -> list[dict[str, Any]]:
    """The tokens with their probabilities, as OpenAI sends them."""
    made = []
    for text, probability, *others in tokens:
        tops = [(other, math.log(mass)) for each in others for other, mass in each.items()]
        made.append(entry(text, math.log(probability), *tops))
    return made


def answer(request: Request) -> Body:
    """A chat completion: the answer to the last message, with logprobs where they are asked for."""
    prompt = json.dumps(request.json["messages"][-1])
    tokens = next((tokens for word, tokens in ANSWERS.items() if word in prompt), ANSWERS["Eiffel"])
    if request.json.get("logprobs"):
        return openai_answer(entries_of(tokens))(request)
    return json_body(completion([], "".join(text for text, *_ in tokens), logprobs=None))


def run(page: Path) -> int:
    """Run the code of a page; return how many blocks it has."""
    document = Document.parse(str(page), PythonCodeBlockParser())
    blocks = list(document.examples())
    for block in blocks:
        block.evaluate()
    return len(blocks)


def main() -> None:
    """Run a page beside the server."""
    with WireServer() as wire:
        wire.answer("/v1/chat/completions", answer)
        wire.answer("/v1/traces", json_body({}))
        wire.answer("/v1/logs", json_body({}))
        os.environ |= {
            "OPENAI_BASE_URL": f"{wire.url}/v1",
            "OPENAI_API_KEY": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": wire.url,
        }
        try:
            print(run(Path(sys.argv[1])))
        finally:  # while there is somebody to take the spans
            if isinstance(provider := trace.get_tracer_provider(), TracerProvider):
                provider.shutdown()


if __name__ == "__main__":
    main()
