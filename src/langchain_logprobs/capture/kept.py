"""What is kept with an open run: of a model call what was asked, of any other run what the calls below it come to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from langchain_logprobs.confidence.inputs import Asked
from langchain_logprobs.formats.carrying import Carrying
from langchain_logprobs.telemetry import names
from langchain_logprobs.telemetry.messages import last_text
from langchain_logprobs.telemetry.roll_up import RollUp


@dataclass(slots=True)
class Step:
    """What is kept with a run that is no model call.

    Attributes:
        roll_up: The model calls below it.
        whole: Whether it is an agent or a workflow, whose span shows what it was given and answered.
        given: What it was given, as messages, where that is to be recorded.
    """

    roll_up: RollUp = field(default_factory=RollUp)
    whole: bool = False
    given: str | None = None

    def pairs(self) -> Iterator[tuple[str, Any]]:
        """Yield what its span shows of that: as messages, and as the plain text of the last of them."""
        if self.whole:
            yield names.INPUT_MESSAGES, self.given
            yield names.INPUT_VALUE, last_text(self.given)
            yield names.OUTPUT_MESSAGES, self.roll_up.answers
            yield names.OUTPUT_VALUE, last_text(self.roll_up.answers)


@dataclass(slots=True)
class Call:
    """What is kept with a model call.

    Attributes:
        identity: Its operation, provider and model, by their GenAI names.
        read_request: Returns what was asked for, and the prompt as JSON where it is to be recorded; None where the
            start of the call was not reported. It is not called for a call of which nobody will see anything.
        asked: What was asked for.
        messages: The prompt.
        without_chunks: Whether token callbacks came without their chunks.
        carrying: A `generation_info` of a chunk that tells what we asked for; None where none came.
    """

    identity: dict[str, Any]
    read_request: Callable[[], tuple[Asked, str | None]] | None = None
    asked: Asked = field(default_factory=Asked)
    messages: str | None = None
    without_chunks: bool = False
    carrying: Carrying | None = None
