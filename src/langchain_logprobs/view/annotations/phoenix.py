"""Phoenix: span annotations, which its lists show as columns, on model calls and roots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_logprobs.view.annotations.marks import CONFIDENCE, IDENTIFIER, WEAKEST, Mark

PACKAGE = "phoenix.client"
_AT_ONCE = 500


def write(marks: Sequence[Mark], url: str | None, project: str | None) -> int:
    """Write annotations; one with our identifier that is there already is replaced.

    Args:
        marks: What there is to say.
        url: The address of Phoenix; None for what its client reads from the environment.
        project: Not needed: a span's id is enough.

    Returns:
        How many there are now.
    """
    from phoenix.client import Client

    client = Client(base_url=url)
    found = [annotation for mark in marks for annotation in _annotations(mark)]
    for start in range(0, len(found), _AT_ONCE):
        client.spans.log_span_annotations(span_annotations=found[start : start + _AT_ONCE], sync=True)
    return len(found)


def _annotations(mark: Mark) -> list[Any]:
    results = [(CONFIDENCE, {"score": mark.score, "label": mark.level, "explanation": mark.answer})]
    # Of an annotation with a score, Phoenix's badge shows the score and not the words, which have the number in them.
    if mark.weakest is not None:
        results.append((WEAKEST, {"score": None, "label": mark.weakest, "explanation": None}))
    elif mark.weakest_score is not None:
        results.append((WEAKEST, {"score": mark.weakest_score, "label": None, "explanation": None}))
    return [
        {
            "span_id": mark.span_id,
            "name": name,
            "annotator_kind": "CODE",
            "identifier": IDENTIFIER,
            "result": {key: value for key, value in result.items() if value is not None},
        }
        for name, result in results
    ]
