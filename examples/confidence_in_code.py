"""A review queue: which values of some extracted documents should a person look at?

    python examples/confidence_in_code.py

No span, no backend: the program itself gets the numbers of its calls.
"""

from __future__ import annotations

from typing import Literal

from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from local_model import local_model
from pydantic import BaseModel

from langchain_logprobs import confidence_of_calls

ACCEPTED_FROM = 0.8  # chosen for this example; choose yours on answers of your own (docs/confidence.md)

# A model of this size needs to see what is wanted.
PROMPT = ChatPromptTemplate.from_template("""Turn each note into JSON.

Note: Anna Berg ordered 3 lamps, to be sent by post.
{{"customer": "Anna Berg", "item": "lamps", "count": 3, "delivery": "post"}}

Note: One chair for John Okafor, he will collect it.
{{"customer": "John Okafor", "item": "chair", "count": 1, "delivery": "collect"}}

Note: {note}""")

NOTES = [
    "Maria Silva wants 4 cups, please send them by post.",
    "Mr Tanaka takes the two small tables with him tomorrow.",
    "A dozen plates, and the name is O'Neill or O'Neal.",
]


class Order(BaseModel):
    """What somebody ordered."""

    customer: str
    item: str
    count: int
    delivery: Literal["post", "collect"]


with local_model() as served:
    model = ChatOpenAI(
        model=served.model,
        base_url=served.base_url,
        api_key=served.api_key,
        temperature=0,
        max_completion_tokens=60,
        logprobs=True,
        top_logprobs=5,
    )
    reader = PROMPT | model.with_structured_output(Order, method="json_schema")
    for note in NOTES:
        with confidence_of_calls() as calls:
            order = reader.invoke({"note": note})
        report = calls[0].report
        unsure = report.fields.below(ACCEPTED_FROM) if report.fields is not None else []
        print(f"{note}\n  {order!r}")
        print("  accepted" if report.fields and not unsure else f"  to review, level {report.level}:")
        for field in unsure:
            nearly = f", nearly {field.runner_up} {field.runner_up.probability:.2f}" if field.runner_up else ""
            confidence = "unknown" if field.confidence is None else f"{field.confidence:.2f}"
            print(f"    {field.path} {field.value!r} {confidence}{nearly}")
