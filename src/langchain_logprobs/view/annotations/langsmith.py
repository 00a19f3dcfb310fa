"""LangSmith: feedback on traces."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

from langchain_logprobs.view.annotations.marks import CONFIDENCE, IDENTIFIER, WEAKEST, Mark

PACKAGE = "langsmith"

_OURS = UUID("6f0c3f0e-6d65-5b0c-9a51-2f6a1c0b7d3e")
"""The namespace of our feedbacks' ids: the same trace and key have the same id, so that nothing is there twice."""


def write(marks: Sequence[Mark], url: str | None, project: str | None) -> int:
    """Write feedback; ours that is there already is brought up to date.

    LangSmith makes a run's id of a span's; that of a trace's root run is the trace's id.

    Args:
        marks: What there is to say; only what stands for a whole trace is written.
        url: The address of LangSmith's API; None for what its client reads from the environment.
        project: The project of the traces, which LangSmith asks for; None for the one of the environment.

    Returns:
        How many there are now.
    """
    from langsmith import Client
    from langsmith.utils import get_tracer_project

    client = Client(api_url=url, auto_batch_tracing=False)
    project_id = client.read_project(project_name=project or get_tracer_project()).id
    count = 0
    for mark in (mark for mark in marks if mark.whole):
        run_id = UUID(mark.trace_id)
        there = {feedback.id for feedback in client.list_feedback(run_ids=[run_id])}
        for key, score, value, comment in (
            (CONFIDENCE, mark.score, mark.level, mark.answer),
            (WEAKEST, mark.weakest_score, mark.weakest, None),
        ):
            feedback_id = uuid5(_OURS, f"{mark.trace_id} {key}")
            if feedback_id in there:
                client.update_feedback(feedback_id, score=score, value=value, comment=comment)
            elif score is not None or value is not None:
                client.create_feedback(
                    run_id,
                    key,
                    score=score,
                    value=value,
                    comment=comment,
                    feedback_id=feedback_id,
                    session_id=project_id,
                    source_info={"identifier": IDENTIFIER},
                )
            else:
                continue
            count += 1
    return count
