"""Langfuse: scores on traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from langchain_logprobs.view.annotations.marks import CONFIDENCE, IDENTIFIER, LEVEL, WEAKEST, Mark
from langchain_logprobs.view.annotations.problems import AnnotateError

PACKAGE = "langfuse"


def write(marks: Sequence[Mark], url: str | None, project: str | None) -> int:
    """Write scores; one of ours that is there already, which its id says, is replaced.

    Args:
        marks: What there is to say; only what stands for a whole trace is written.
        url: The address of Langfuse; None for what its client reads from the environment.
        project: Not needed: the keys are those of one project.

    Returns:
        How many there are now.
    """
    from langfuse import Langfuse

    client = Langfuse(base_url=url)
    # Scores are sent in the background, where a failure is only logged; so what can be wrong is asked before.
    if not client.auth_check():
        raise AnnotateError(
            "Langfuse does not accept the keys.\nSet LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY to the project's."
        )
    scores: list[tuple[Mark, str, Any, Literal["NUMERIC", "CATEGORICAL"]]] = []
    for mark in (mark for mark in marks if mark.whole):
        scores += [(mark, CONFIDENCE, mark.score, "NUMERIC"), (mark, LEVEL, mark.level, "CATEGORICAL")]
        scores += [(mark, WEAKEST, mark.weakest, "CATEGORICAL")]
    known = [each for each in scores if each[2] is not None]
    for mark, name, value, kind in known:
        client.create_score(
            score_id=f"{IDENTIFIER}-{mark.trace_id}-{name}",
            trace_id=mark.trace_id,
            name=name,
            value=value,
            data_type=kind,
            comment=mark.answer,
        )
    client.flush()
    return len(known)
