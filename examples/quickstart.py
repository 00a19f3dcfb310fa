"""The ten lines: a chain, and the one argument that shows where the model was unsure.

    python examples/quickstart.py

Here the spans are printed in the terminal. In your app the tracer provider is already there, and they go where it
sends them.
"""

from __future__ import annotations

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from local_model import local_model
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.view.terminal.trace import print_traces

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))

with local_model() as served:
    prompt = ChatPromptTemplate.from_template("Tell me about {city} in one sentence.")
    model = ChatOpenAI(
        model=served.model,
        base_url=served.base_url,
        api_key=served.api_key,
        temperature=0,
        logprobs=True,
        top_logprobs=5,
    )
    chain = prompt | model | StrOutputParser()
    handler = LogprobsCallbackHandler(tracer_provider=provider)
    print(chain.invoke({"city": "Lima"}, config={"callbacks": [handler]}), end="\n\n")

print_traces(spans.get_finished_spans())
