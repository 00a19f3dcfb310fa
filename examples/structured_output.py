"""How sure was the model of each field? Structured output, with a confidence for every value.

    python examples/structured_output.py

The program gets the report of the call, which is what the span says (logprobs.fields.*); then the span is drawn.
"""

from __future__ import annotations

from typing import Literal

from langchain_openai import ChatOpenAI
from local_model import local_model
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel

from langchain_logprobs import LogprobsCallbackHandler, confidence_of_calls
from langchain_logprobs.view.terminal.trace import print_traces

# A model of this size needs to see what is wanted. It still reads the review badly; look at how sure it was.
PROMPT = """Turn each review into JSON.

Review: I love this toaster. After three weeks I bought a second one.
{"product": "toaster", "opinion": "good", "weeks_used": 3, "buys_again": true}

Review: The lamp came broken, I sent it back.
{"product": "lamp", "opinion": "bad", "weeks_used": 0, "buys_again": false}

Review: The kettle boils fast and looks nice, but the lid broke after two weeks. Would not buy it again."""


class Review(BaseModel):
    """What a customer thinks of a product."""

    product: str
    opinion: Literal["good", "mixed", "bad"]
    weeks_used: int
    buys_again: bool


spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))

with local_model() as served:
    model = ChatOpenAI(
        model=served.model,
        base_url=served.base_url,
        api_key=served.api_key,
        temperature=0,
        max_completion_tokens=100,
        logprobs=True,
        top_logprobs=5,
    )
    reader = model.with_structured_output(Review, method="json_schema")
    with confidence_of_calls() as calls:
        review = reader.invoke(PROMPT, config={"callbacks": [LogprobsCallbackHandler(tracer_provider=provider)]})

print(repr(review), end="\n\n")
report = calls[0].report
print("level:", report.level)
for field in report.fields or ():
    print(f"{field.path:<12} {field.confidence:.3f}  {field.value!r}")
print()
print_traces(spans.get_finished_spans())
