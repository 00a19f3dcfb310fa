"""A review queue over 200 documents: which values should a person look at? Then two prompts, side by side.

    python examples/review_queue.py              # or with a number of documents: ... review_queue.py 20

Plain LangChain, with a progress bar; the traces go into two files, and what is printed behind is read from those alone:

    langchain-logprobs table review_queue/three.jsonl --of fields
    langchain-logprobs compare review_queue/two.jsonl review_queue/three.jsonl
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any, Literal

from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from local_model import local_model
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic import BaseModel
from rich.console import Console
from tqdm import tqdm

from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.tables import compare, table

FOLDER = Path("review_queue")
ACCEPTED_FROM = 0.5  # chosen for this example; `langchain-logprobs calibrate` finds yours

EXAMPLES = [
    ("user", "Review: The toaster is great, I bought a second one."),
    ("assistant", '{{"product": "toaster", "opinion": "good"}}'),
    ("user", "Review: The lamp came broken, I sent it back."),
    ("assistant", '{{"product": "lamp", "opinion": "bad"}}'),
    ("user", "Review: The old radio is not loud, but I like it."),
    ("assistant", '{{"product": "old radio", "opinion": "good"}}'),
]
LAST = ("user", "Review: {review}")
PROMPTS = {"two": [*EXAMPLES[:4], LAST], "three": [*EXAMPLES, LAST]}
"""A prompt with two examples, and one with a third."""


class Review(BaseModel):
    """What a customer thinks of a product."""

    product: str
    opinion: Literal["good", "bad"]


def documents(count: int) -> list[str]:
    """Return so many reviews, always the same."""
    choose = random.Random(1).choice
    products = ("kettle", "radio", "chair", "vacuum cleaner", "set of knives", "Blitz 300")
    opinions = (
        "is great, I love it",
        "broke after a week",
        "works, but I would not buy it again",
        "is not bad at all",
        "is fine for the price",
        "makes a terrible noise",
    )
    return [f"The {choose(products)} {choose(opinions)}." for _ in range(count)]


def read_all(reviews: list[str], prompt: Any, served: Any, file: Path) -> None:
    """Read all reviews with a prompt, four at once, and write the traces into a file."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(FileSpanExporter(file)))
    model = ChatOpenAI(
        model=served.model,
        base_url=served.base_url,
        api_key=served.api_key,
        temperature=0,
        max_completion_tokens=30,
        logprobs=True,
        top_logprobs=5,
    )
    reader = ChatPromptTemplate.from_messages(prompt) | model.with_structured_output(Review, method="json_schema")
    handler = LogprobsCallbackHandler(tracer_provider=provider)
    configs: list[Any] = [
        {"callbacks": [handler], "max_concurrency": 4, "metadata": {"session_id": f"document {number}"}}
        for number in range(len(reviews))
    ]
    given = [{"review": review} for review in reviews]
    # An answer that is cut off is no Review; its trace is written all the same.
    read = reader.batch_as_completed(given, configs, return_exceptions=True)
    for _ in tqdm(read, total=len(reviews), desc=file.stem):
        pass
    provider.shutdown()


def main() -> None:
    """Read the reviews with both prompts, and show what the traces say."""
    reviews = documents(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
    FOLDER.mkdir(exist_ok=True)
    files = {name: FOLDER / f"{name}.jsonl" for name in PROMPTS}
    with local_model() as served:
        for name, file in files.items():
            file.unlink(missing_ok=True)  # the exporter appends
            read_all(reviews, PROMPTS[name], served, file)

    calls, values = table(files["three"]), table(files["three"], "fields")
    (FOLDER / "fields.csv").write_text(values.to_csv(), encoding="utf-8", newline="")
    unsure = [row for row in values if row["confidence"] is None or row["confidence"] < ACCEPTED_FROM]
    left = {row["span_id"] for row in unsure} | {row["span_id"] for row in calls if row["level"] is None}
    print(f"{len(calls)} documents, {len(values)} values: {len(left)} documents to review, for {len(unsure)} values")
    print("the least certain:")
    for row in sorted(unsure, key=lambda row: row["confidence"] or 0.0)[:5]:
        nearly = f", nearly {row['nearly']} {row['nearly_probability']:.2f}" if row["nearly"] else ""
        print(f"  {row['path']:<10} {row['value']!r} {row['confidence'] or 0.0:.2f}{nearly}")
    Console(width=100, highlight=False).print(compare(files["two"], files["three"]))


if __name__ == "__main__":
    main()
