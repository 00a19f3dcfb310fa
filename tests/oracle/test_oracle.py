"""The product against a second implementation from the definitions: parts, measures, fields and levels, to 1e-9."""

from __future__ import annotations

import gzip
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from langchain_logprobs import confidence_of, read_logprobs
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.golden.answers import answers
from tests.oracle.answer import report
from tests.oracle.cases import make
from tests.oracle.comparison import SETTINGS, differences, product
from tests.oracle.parts import Given

LABELLED = Path(__file__).parents[2] / "benchmarks" / "labelled"


def check_random(seeds: range) -> Counter[str]:
    """Compare the answers of some seeds; return how often each form of answer came.

    The one thing that may differ: the product gives up where bytes are lost and it is not sure of the place. The oracle
    tries every place.
    """
    forms: Counter[str] = Counter()
    for seed in seeds:
        case = make(seed)
        said, expected = product(case.given, case.message), report(case.given)
        failed = said.choices[0].parts.alignment.failed
        forms.update([*case.form, "failed" if failed else "placed"])
        if failed and not expected["failed"] and "lost" in case.form:
            forms["given up"] += 1
            continue
        assert not differences(said, expected), (seed, case)
    assert forms["given up"] <= len(seeds) / 200
    return forms


def test_random_answers() -> None:
    forms = check_random(range(300))
    assert min(forms[form] for form in ("told", "echo", "harmony", "label", "call:hermes", "gpt2", "lost", "vllm")) > 5
    assert forms["failed"] < 15


@pytest.mark.slow
def test_many_random_answers() -> None:
    check_random(range(1000, 4000))


@pytest.mark.parametrize("seed", range(0, 120, 3))
def test_several_choices(seed: int) -> None:
    cases = [make(number) for number in range(seed, seed + 2 + seed % 2)]
    cases[0].given.tools, cases[0].given.told = {}, ()
    for case in cases[1:]:
        case.given.schema, case.given.tools, case.given.told, case.given.echoed = None, {}, (), cases[0].given.echoed
    said = product(cases[0].given, *(case.message for case in cases))
    if any(choice.parts.alignment.failed for choice in said.choices) and any("lost" in case.form for case in cases):
        pytest.skip("bytes are lost, and the product is not sure of the place")
    assert not differences(said, report(*(case.given for case in cases)))


def plain(generation: Any) -> Given:
    """A recorded answer for the oracle."""
    message = getattr(generation, "message", None)
    extra = getattr(message, "additional_kwargs", {})
    (tokens,) = read_logprobs(generation)
    calls = [*getattr(message, "tool_calls", ()), *getattr(message, "invalid_tool_calls", ())]
    container = {**getattr(message, "response_metadata", {}), **(generation.generation_info or {})}.get("logprobs")
    apart = container.get("reasoning_content") if isinstance(container, dict) else None
    thought = [TokenLogprob(entry["token"], entry["logprob"]) for entry in apart or ()]
    return Given(list(tokens), generation.text, extra.get("reasoning_content", ""), calls, thought=thought)


@pytest.mark.parametrize(
    ("source", "step"),
    [
        ("model", 1),
        pytest.param("providers", 1, marks=pytest.mark.slow),
        pytest.param("documents", 4, marks=pytest.mark.slow),
    ],
)
def test_recorded_answers(source: str, step: int) -> None:
    seen = 0
    for answer in itertools.islice(answers(source), 0, None, step):
        generations = [one for one in answer.result.generations[0] if isinstance(one, ChatGeneration) or one.text]
        if len(generations) != len(answer.result.generations[0]):
            continue
        choices = [plain(generation) for generation in generations]
        choices[0].schema = answer.schema
        said = confidence_of(LLMResult(generations=[generations]), schema=answer.schema, settings=SETTINGS)
        assert not differences(said, report(*choices)), answer.name
        score, measured = answer.attributes().get("logprobs.confidence.score"), said.measures
        if answer.complete and score is not None and measured.token_count:
            assert score == pytest.approx(measured.confidence, abs=1e-9), answer.name
            seen += 1
    assert seen >= 40


def labelled(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(LABELLED / name, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


@pytest.mark.skipif(not LABELLED.exists(), reason="the benchmarks are not in the source distribution")
@pytest.mark.parametrize("step", [12, pytest.param(1, marks=pytest.mark.slow)])
def test_labelled_answers(step: int) -> None:
    seen = 0
    for number, answer in enumerate([*labelled("answers.jsonl.gz"), *labelled("one_word.jsonl.gz")]):
        if number % step:
            continue
        message = AIMessage(answer["text"], response_metadata={"logprobs": answer["container"]})
        for schema in (answer.get("schema"), None):
            (tokens,) = read_logprobs(message)
            given = Given(list(tokens), answer["text"], schema=schema)
            said = confidence_of(message, schema=schema, settings=SETTINGS)
            assert not differences(said, report(given)), answer
            seen += 1
    assert seen >= 2 * 1000 / step
