"""Each recorded answer as the objects that a program holds, beside the span that it must agree with.

for answer in answers("model"):
    report = confidence_of(answer.message, schema=answer.schema)
    assert report.score == answer.attributes()["logprobs.confidence.score"]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from langchain_core.messages import BaseMessage
from langchain_core.outputs import Generation, LLMResult

from langchain_logprobs import read_logprobs

from .documents import documents
from .recording import Event, load_records
from .replay import SETTINGS, Replayer

_STARTS = ("on_chat_model_start", "on_llm_start")
_ENDS = ("on_llm_end", "on_llm_error")


@dataclass(frozen=True)
class Answer:
    """One model call that ended with a result.

    Attributes:
        name: The record's name, and the number of the call in it where there are several.
        events: The callbacks of its record, those of other calls among them.
        call: Its number among the record's model calls, in the order of their ends.
        request: The keyword arguments of its start callback.
        result: What it ended with.
        returned: What the program got, where the record has one call: a message (merged, where it was streamed), a
            text, a result, the mapping of `include_raw=True`. None where it has several.
    """

    name: str
    events: tuple[Event, ...]
    call: int
    request: Mapping[str, Any]
    result: LLMResult
    returned: Any

    @property
    def generation(self) -> Generation:
        """The first answer of the result."""
        generation = self.result.generations[0][0]
        assert isinstance(generation, Generation)
        return generation

    @property
    def message(self) -> BaseMessage | None:
        """The message of `generation`; None where a completion model answered, with a text."""
        return getattr(self.generation, "message", None)

    @property
    def include_raw(self) -> dict[str, Any] | None:
        """What the program got of `with_structured_output(..., include_raw=True)`; None where it did not ask so."""
        is_raw = isinstance(self.returned, dict) and {"raw", "parsed", "parsing_error"} <= self.returned.keys()
        return self.returned if is_raw else None

    @property
    def schema(self) -> Any:
        """The schema that the answer's text was to follow, as it was passed on; None where there was none."""
        params = self.request.get("invocation_params") or {}
        structured = (self.request.get("options") or {}).get("ls_structured_output_format") or {}
        found = params.get("response_format") or (params.get("extra_body") or {}).get("response_format")
        if isinstance(found, dict) and found.get("type") == "json_object":
            found = None
        return found or (None if params.get("tools") else structured.get("schema"))

    @property
    def tools(self) -> list[Any]:
        """The tools of the request."""
        return list((self.request.get("invocation_params") or {}).get("tools") or [])

    @cached_property
    def _attributes(self) -> dict[str, dict[str, Any]]:
        return {}

    def attributes(self, settings: str = "default") -> dict[str, Any]:
        """Return the attributes of its span, as they come out of a replay with one of SETTINGS."""
        if settings not in self._attributes:
            spans = Replayer(SETTINGS[settings]).replay(self.events).raw
            calls = [span.attributes for span in spans if span.attributes and "logprobs.status" in span.attributes]
            self._attributes[settings] = dict(calls[self.call] or {})
        return self._attributes[settings]

    @property
    def complete(self) -> bool:
        """Whether the result has all logprobs: a handler sees those of a stream, which some classes lose at its end."""
        held = max(map(len, read_logprobs(self.result)), default=0)
        return held >= len(self.attributes().get("logprobs.tokens", ()))


def answers(*sets: str) -> Iterator[Answer]:
    """Yield the recorded answers.

    Args:
        *sets: "providers", "model", "documents"; the first two where none is named.
    """
    for name in sets or ("providers", "model"):
        if name == "documents":
            for title, events in documents():
                yield from _answers(title, events, None)
        else:
            for record in load_records(name):
                yield from _answers(record.name, record.events(), record.returned())


def _answers(name: str, events: list[Event], returned: Any) -> Iterator[Answer]:
    starts = {event.kwargs["run_id"]: event.kwargs for event in events if event.name in _STARTS}
    ended: list[UUID | None] = []
    for event in events:
        run = event.kwargs.get("run_id")
        if event.name not in _ENDS or run in ended:
            continue
        ended.append(run)
        if event.name == "on_llm_end":
            alone = len(starts) == 1
            yield Answer(
                name=name if alone else f"{name} {len(ended) - 1}",
                events=tuple(events),
                call=len(ended) - 1,
                request=starts.get(run, {}),
                result=event.args[0] if event.args else event.kwargs["response"],
                returned=returned if alone else None,
            )
