"""MLflow: feedback on traces, which its list shows as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_logprobs.view.annotations.marks import CONFIDENCE, IDENTIFIER, LEVEL, WEAKEST, Mark
from langchain_logprobs.view.annotations.problems import AnnotateError

PACKAGE = "mlflow"


def write(marks: Sequence[Mark], url: str | None, project: str | None) -> int:
    """Write feedback; ours that is there already is brought up to date.

    Args:
        marks: What there is to say; only what stands for a whole trace is written.
        url: The tracking server or store; None for what MLflow reads from the environment.
        project: Not needed: a trace's id is enough.

    Returns:
        How many there are now.
    """
    import mlflow

    if url is not None:
        mlflow.set_tracking_uri(url)
    count = 0
    for mark in marks:
        if mark.whole:
            trace_id = f"tr-{mark.trace_id}"
            trace = mlflow.get_trace(trace_id)
            if trace is None:
                raise AnnotateError(
                    f"MLflow has no trace {trace_id}.\n"
                    "Name the server that the spans were sent to, with  --url http://127.0.0.1:5000"
                )
            count += _write_on(trace, trace_id, mark)
    return count


def _write_on(trace: Any, trace_id: str, mark: Mark) -> int:
    import mlflow
    from mlflow.entities import AssessmentSource, Feedback

    source = AssessmentSource(source_type="CODE", source_id=IDENTIFIER)
    ours = {
        each.name: each
        for each in trace.info.assessments
        if each.source is not None and each.source.source_id == IDENTIFIER
    }
    values = [(CONFIDENCE, mark.score), (LEVEL, mark.level), (WEAKEST, mark.weakest)]
    known = [(name, value) for name, value in values if value is not None]
    for name, value in known:
        there = ours.get(name)
        if there is None:
            mlflow.log_feedback(trace_id=trace_id, name=name, value=value, source=source, rationale=mark.answer)
        elif (there.value, there.rationale) != (value, mark.answer):
            changed = Feedback(name=name, value=value, source=source, rationale=mark.answer)
            mlflow.update_assessment(trace_id, there.assessment_id, changed)
    for name in ours.keys() - {name for name, _ in known}:
        mlflow.delete_assessment(trace_id, ours[name].assessment_id)
    return len(known)
