"""A check in CI: the job fails where the model was not sure enough of a structured answer.

    python examples/ci_gate.py && echo deploy

Runs a few extractions as a test suite would, writes their traces into a file, and ends with the exit code of

    langchain-logprobs view traces.jsonl --below 0.3 --calls

which is 3 where a call is below. (What it takes to be sure is for your own labels to say; here it is a number.)
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from local_model import local_model
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from pydantic import BaseModel

from langchain_logprobs import LogprobsCallbackHandler

BELOW = "0.3"
TRACES = Path("ci_gate.jsonl")

PROMPT = ChatPromptTemplate.from_messages(
    [
        ("user", "Review: The toaster is great, I bought a second one."),
        ("assistant", '{{"product": "toaster", "opinion": "good"}}'),
        ("user", "Review: The lamp came broken, I sent it back."),
        ("assistant", '{{"product": "lamp", "opinion": "bad"}}'),
        ("user", "Review: {review}"),
    ]
)
REVIEWS = ["The kettle is great, I love it.", "The Blitz 300 is not bad at all."]


class Review(BaseModel):
    """What a customer thinks of a product."""

    product: str
    opinion: Literal["good", "bad"]


def run_suite() -> None:
    """Read the reviews, and write the traces."""
    TRACES.unlink(missing_ok=True)  # the exporter appends
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(TRACES)))
    with local_model() as served:
        model = ChatOpenAI(
            model=served.model,
            base_url=served.base_url,
            api_key=served.api_key,
            temperature=0,
            max_completion_tokens=30,
            logprobs=True,
            top_logprobs=5,
        )
        reader: Any = PROMPT | model.with_structured_output(Review, method="json_schema")
        handler = LogprobsCallbackHandler(tracer_provider=provider)
        reader.batch([{"review": review} for review in REVIEWS], {"callbacks": [handler]})
    provider.shutdown()


def main() -> int:
    """Run the suite, and look for unsure calls in its traces."""
    run_suite()
    command = [sys.executable, "-m", "langchain_logprobs", "view", str(TRACES), "--below", BELOW, "--calls"]
    code = subprocess.run([*command, "--color", "never"], check=False).returncode
    print(f"exit code {code}: {'not sure enough' if code == 3 else 'sure enough' if code == 0 else 'a problem'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
