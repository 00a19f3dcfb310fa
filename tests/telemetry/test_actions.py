"""What was done about an unsure answer, from an event that anybody can send to the spans."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import dispatch_custom_event
from langchain_core.runnables import RunnableLambda

from langchain_logprobs.agents.notes import note
from langchain_logprobs.telemetry.actions import Action
from tests.support import Traced


def test_an_action_survives_its_event() -> None:
    action = Action("retry", 2, 0.25, '/to "Bob" .25', (uuid4().int, uuid4().int))
    assert Action.of(action.to_dict()) == action


@pytest.mark.parametrize(
    ("data", "action"),
    [
        (None, None),
        ([], None),
        ({}, None),
        ({"action": 3}, None),
        ({"action": "x"}, Action("x")),
        ({"action": "x" * 1_000}, Action("x" * 40)),
        ({"action": "x", "unsure": True, "confidence": float("nan"), "about": 3, "replaced": "abc"}, Action("x")),
        ({"action": "x", "unsure": "2", "confidence": "0.5", "replaced": [None, "zz", 3]}, Action("x")),
        ({"action": "x", "about": "y" * 5_000}, Action("x", about="y" * 1_000)),
    ],
)
def test_what_anybody_sends_is_read_with_care(data: Any, action: Action | None) -> None:
    assert Action.of(data) == action


@pytest.mark.parametrize("name", ["logprobs.action", "something else"])
def test_only_our_events_are_written_down(name: str) -> None:
    traced = Traced()
    data = {"action": "retry", "about": "half \ud83d an emoji"}
    step: Any = RunnableLambda(lambda _: dispatch_custom_event(name, data))
    (RunnableLambda(lambda _: None) | step).invoke(0, traced.config)
    written = [span.attributes.get("logprobs.action") for span in traced.spans]
    assert written.count("retry") == (2 if name == "logprobs.action" else 0)  # the step and the root above it
    events = [event for span in traced.spans for event in span.events]
    assert [event.attributes["logprobs.about"] for event in events] == (
        ["half � an emoji"] if name == "logprobs.action" else []
    )


def test_outside_of_a_run_there_is_nobody_to_tell() -> None:
    note(Action("retry"))
