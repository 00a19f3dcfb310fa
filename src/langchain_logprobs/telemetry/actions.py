"""What was done about an unsure answer, as it travels from who did it to the spans: through LangChain's own events."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from langchain_logprobs.telemetry import names

_MAX_ABOUT = 1_000
_MAX_WORD = 40


class Action(NamedTuple):
    """Something that was done about an unsure answer.

    Attributes:
        action: What, in a word: see `names.ACTION`.
        unsure: How many values, or the answer as a whole, were unsure.
        confidence: The least of their confidences; None where none is known.
        about: What was unsure, in a line.
        replaced: The keys of the runs whose answers were replaced by it.
    """

    action: str
    unsure: int = 0
    confidence: float | None = None
    about: str = ""
    replaced: tuple[int, ...] = ()

    @classmethod
    def of(cls, data: object) -> Action | None:
        """Return the action in the data of an event that anybody may have sent; None where it is none."""
        if not isinstance(data, Mapping) or not isinstance(data.get("action"), str):
            return None
        unsure, confidence, about = (data.get(name) for name in ("unsure", "confidence", "about"))
        known = isinstance(confidence, float) and math.isfinite(confidence)
        return cls(
            action=data["action"][:_MAX_WORD],
            unsure=unsure if isinstance(unsure, int) and not isinstance(unsure, bool) else 0,
            confidence=confidence if known else None,
            about=about[:_MAX_ABOUT] if isinstance(about, str) else "",
            replaced=tuple(_keys(data.get("replaced"))),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as the data of an event, which `of` reads; only plain values."""
        return {**self._asdict(), "replaced": [str(UUID(int=key)) for key in self.replaced]}

    def pairs(self) -> Iterator[tuple[str, Any]]:
        """Yield the attributes of its event."""
        yield names.ACTION, self.action
        yield names.ACTION_COUNT, self.unsure
        yield names.ACTION_CONFIDENCE, self.confidence
        yield names.ABOUT, self.about or None


def _keys(listed: object) -> Iterator[int]:
    for each in listed if isinstance(listed, Sequence) and not isinstance(listed, str) else ():
        try:
            yield UUID(str(each)).int
        except ValueError:
            continue
