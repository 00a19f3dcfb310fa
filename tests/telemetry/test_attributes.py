"""Attributes that are there only where they say something, and indexes that point into the arrays."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from langchain_logprobs.telemetry.attributes import ranges
from tests.repros.calls import told
from tests.support import ScriptedModel, Traced, entry


@pytest.mark.parametrize("stream", [True, False])
def test_what_is_not_so_is_not_written(stream: bool) -> None:
    traced = Traced()
    chain: Any = RunnableLambda(lambda text: text) | ScriptedModel()
    if stream:
        list(chain.stream("hi", config=traced.config))
    else:
        chain.invoke("hi", config=traced.config)
    (root,) = traced.named("invoke_workflow")
    written = {*(traced.call.attributes or {}), *(root.attributes or {})}
    assert not written & {"logprobs.cached", "logprobs.min.censored", "logprobs.discarded.llm_call.count"}
    assert not written & {"logprobs.token.outside_count", "logprobs.token.outside_ranges", "logprobs.status.reason"}


def test_a_censored_token_is_said_above_its_call_too() -> None:
    traced = Traced()
    chain: Any = RunnableLambda(lambda text: text) | ScriptedModel(entries=[entry("a", None), entry("b", -0.1)])
    chain.invoke("hi", config=traced.config)
    (root,) = traced.named("invoke_workflow")
    for span in (traced.call, root):
        assert (span.attributes or {})["logprobs.min.censored"] is True


@pytest.mark.parametrize("parts", [['["a"]'], ["[", '"a"', "]"], ["[", '"a', '"', "]"]], ids=str)
def test_a_value_of_censored_tokens_alone_points_to_the_first_of_them(parts: list[str]) -> None:
    tokens: list[Any] = [(part, -9999.0 if "a" in part else -0.1) for part in parts]
    said = told(AIMessage("".join(parts)), tokens)
    assert said["fields.paths"] == ("/0",)
    assert said["fields.min_indexes"] == (min(1, len(parts) - 1),)
    assert said["fields.censored"] == (0,)


@pytest.mark.parametrize(
    ("positions", "found"),
    [([], None), ([3], [3, 4]), ([0, 1, 2], [0, 3]), ([0, 2, 3, 7], [0, 1, 2, 4, 7, 8])],
)
def test_positions_as_ranges(positions: list[int], found: list[int] | None) -> None:
    assert ranges(positions) == found
