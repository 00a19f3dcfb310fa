"""What a span says of the model calls below it, in whichever order they end."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from langchain_logprobs import ConfidenceReport, confidence_of
from langchain_logprobs.telemetry.roll_up import RollUp
from tests.repros.calls import Token, entries, report_of
from tests.support import ScriptedModel, Traced

SURE: list[Token] = [("Lima", -0.05), (".", -0.01)]
FAIR: list[Token] = [("In", -0.2), (" Lima", -0.3)]
UNSURE: list[Token] = [("Quito", -2.5, [("Quito", -2.5), ("Lima", -0.2)]), (".", -0.01)]
CENSORED: list[Token] = [("Oz", -9999.0, [("Lima", -0.1), ("Quito", -3.0)]), (".", -0.01)]
FIELD: list[Token] = [('{"a":', -0.01), ("1", -0.9), (',"b":', -0.01), ("2", -0.3), ("}", -0.01)]
NOTHING: list[Token] = []


def of(tokens: Sequence[Token], span_id: str) -> RollUp:
    return RollUp.of(report_of(AIMessage("".join(token[0] for token in tokens)), tokens), span_id)


def together(below: Sequence[RollUp]) -> RollUp:
    total = RollUp()
    for each in below:
        total.take(each, failed=False)
    total.settle(failed=False)
    return total


@pytest.mark.parametrize("order", list(itertools.permutations(range(5))), ids=str)
def test_the_order_of_the_calls_does_not_matter(order: tuple[int, ...]) -> None:
    calls = [SURE, UNSURE, FIELD, NOTHING, FAIR]
    total = together([of(calls[index], f"span {index}") for index in order])
    logprobs = [token[1] for tokens in calls for token in tokens]
    assert (total.calls, total.token_count, total.scored_count) == (5, 11, 11)
    assert total.sum_logprob == pytest.approx(math.fsum(logprobs))  # type: ignore[arg-type]
    assert total.mean_logprob == pytest.approx(math.fsum(logprobs) / 11)  # type: ignore[arg-type]
    assert total.confidence == pytest.approx(math.exp(math.fsum(logprobs) / 11))  # type: ignore[arg-type]
    assert total.detected is True
    assert total.weakest is not None
    assert (total.weakest.token, total.weakest_span_id) == ("Quito", "span 1")
    assert (total.verdict.level, total.worst_span_id) == ("low", "span 1")
    assert total.least is not None
    assert total.least.path == "/a"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_a_censored_token_is_weaker_than_any_other(order: tuple[int, ...]) -> None:
    calls = [UNSURE, CENSORED, SURE]
    total = together([of(calls[index], f"span {index}") for index in order])
    assert total.weakest is not None
    assert (total.weakest.token, total.weakest.censored, total.weakest_span_id) == ("Oz", True, "span 1")
    assert (total.token_count, total.detected) == (5, True)


def test_calls_without_a_number_say_nothing_of_it() -> None:
    total = together([of(NOTHING, "span 0"), of(NOTHING, "span 1")])
    assert (total.calls, total.token_count, total.detected, total.weakest, total.least) == (2, 0, False, None, None)
    assert (total.mean_logprob, total.confidence, total.verdict.level) == (None, None, None)
    assert together([]).calls == 0


def test_of_two_equally_bad_calls_the_first_is_named() -> None:
    total = together([of(UNSURE, "first"), of(UNSURE, "second")])
    assert (total.worst_span_id, total.weakest_span_id) == ("first", "first")


def test_a_cached_answer_is_measured_and_its_tokens_are_not_counted_again() -> None:
    report = confidence_of(
        AIMessage(
            "Lima.",
            response_metadata={"logprobs": {"content": entries(SURE)}},
            usage_metadata={"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "total_cost": 0},
        )
    )
    assert report.cached
    total = together([RollUp.of(report, "span 0"), of(UNSURE, "span 1")])
    assert (total.calls, total.token_count, total.scored_count) == (2, 2, 4)


Tree = tuple[bool, "list[Tree] | ConfidenceReport"]


def settled(tree: Tree) -> RollUp:
    """The roll-up of a step (whether it failed, what is below it), made as the handler makes it."""
    failed, below = tree
    if isinstance(below, ConfidenceReport):
        return RollUp.of(below, "a call")
    total = RollUp()
    for each in below:
        total.take(settled(each), failed=each[0])
    total.settle(failed=failed)
    return total


def counted(tree: Tree) -> tuple[int, int]:
    """How many calls count in a step, and how many were replaced, as the docstring of RollUp says it."""
    failed, below = tree
    if isinstance(below, ConfidenceReport):
        return 1, 0
    used, discarded = 0, 0
    for each in below:
        calls, replaced = counted(each)
        if each[0] and not failed:  # this step went on without its answers
            discarded += calls + replaced
        else:
            used, discarded = used + calls, discarded + replaced
    return used, discarded


def test_calls_of_failed_steps_count_where_nothing_replaced_them() -> None:
    chance = random.Random(8)
    report = report_of(AIMessage("Lima."), SURE)

    def tree(depth: int) -> Tree:
        failed = chance.random() < 0.4
        if depth == 0 or chance.random() < 0.3:
            return failed, report
        return failed, [tree(depth - 1) for _ in range(chance.randint(0, 3))]

    seen = set()
    for _ in range(500):
        made = tree(4)
        total = settled(made)
        assert (total.calls, total.discarded) == counted(made), made
        assert total.token_count == 2 * total.calls
        seen.add((total.calls > 0, total.discarded > 0))
    assert seen == {(False, False), (False, True), (True, False), (True, True)}


def chain_of(calls: Sequence[Sequence[Token]]) -> Callable[[Traced], dict[str, Any]]:
    """Calls made one after the other in one chain; returns what the chain's span says."""

    def run(traced: Traced) -> dict[str, Any]:
        def body(value: str, config: Any) -> str:
            for tokens in calls:
                ScriptedModel(entries=entries(tokens)).invoke(value, config=config)
            return value

        RunnableLambda(body).invoke("q", config=traced.config)
        (root,) = traced.named("invoke_workflow")
        return dict(root.attributes or {})

    return run


@pytest.mark.parametrize("calls", [[UNSURE, SURE], [SURE, UNSURE], [FAIR, UNSURE, SURE], [SURE, CENSORED, FAIR]])
def test_a_root_is_found_by_the_unsure_call_below_it(calls: list[list[Token]]) -> None:
    traced = Traced()
    root = chain_of(calls)(traced)
    worst = min(traced.named("chat"), key=lambda span: span.attributes["logprobs.confidence.level"] != "low")
    span_id = f"{worst.context.span_id:016x}"
    assert root["logprobs.low_confidence.detected"] is True
    assert root["logprobs.confidence.level"] == "low"
    assert root["logprobs.worst.span_id"] == root["logprobs.min.span_id"] == span_id
    assert root["logprobs.min.token"] == worst.attributes["logprobs.min.token"]
    assert root["logprobs.min.probability"] == worst.attributes["logprobs.min.probability"]
    assert root["logprobs.llm_call.count"] == len(calls)


def test_a_root_over_sure_calls_is_not() -> None:
    root = chain_of([SURE, SURE])(Traced())
    assert root["logprobs.low_confidence.detected"] is False
    assert root["logprobs.confidence.level"] == "high"
    assert "logprobs.discarded.llm_call.count" not in root
