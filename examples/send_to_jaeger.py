"""Send the spans to Jaeger, or to any other backend that takes OTLP over HTTP.

    python examples/send_to_jaeger.py
    OTEL_EXPORTER_OTLP_ENDPOINT=http://somewhere:4318 python examples/send_to_jaeger.py

In Jaeger then search for the service "unsure-about" with the tag logprobs.low_confidence.detected=true.
"""

from __future__ import annotations

import os
import socket
import sys
from urllib.parse import urlsplit

from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from local_model import local_model
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.otlp import SplittingSpanExporter

ENDPOINT = os.environ.setdefault("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")

where = urlsplit(ENDPOINT)
try:
    socket.create_connection((where.hostname or "", where.port or 4318), timeout=5).close()
except OSError as error:
    sys.exit(
        f"Nothing answers at {ENDPOINT} ({error}).\n"
        "Start a backend that takes OTLP over HTTP (Jaeger listens on 4318 by itself), or set "
        "OTEL_EXPORTER_OTLP_ENDPOINT to where yours is."
    )

provider = TracerProvider(resource=Resource.create({"service.name": "unsure-about"}))
exporter = SplittingSpanExporter(OTLPSpanExporter())  # reads OTEL_EXPORTER_OTLP_ENDPOINT; no request is too large
provider.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(provider)

with local_model() as served:
    prompt = ChatPromptTemplate.from_template("Who invented the {thing}, and when? Answer in one sentence.")
    model = ChatOpenAI(
        model=served.model,
        base_url=served.base_url,
        api_key=served.api_key,
        temperature=0,
        logprobs=True,
        top_logprobs=5,
    )
    # The caller's own span becomes the parent of the chain's, as in any traced application.
    with trace.get_tracer("example").start_as_current_span("question") as span:
        answer = (prompt | model).invoke({"thing": "telephone"}, config={"callbacks": [LogprobsCallbackHandler()]})
provider.shutdown()  # sends what is still waiting

print(answer.content)
print(f"\nSent to {ENDPOINT}: trace {span.get_span_context().trace_id:032x}")
