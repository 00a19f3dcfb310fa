"""Work and memory grow with the answer, and no faster: counted in calls and bytes, not in time."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.tool_calls import tool_call_confidences
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.counting import bytes_in, calls_in

PATH = Path(__file__).parents[3] / "benchmarks" / "growth.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("growth", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GROWTH = load()


@pytest.mark.parametrize("name", GROWTH.SHAPES)
def test_twice_the_answer_takes_twice_the_work(name: str) -> None:
    size, make = GROWTH.SHAPES[name]
    size = max(size // 20, 12)
    small, large = make(size), make(2 * size)
    small()  # patterns are compiled the first time
    assert calls_in(large) <= 2.2 * calls_in(small) + 200
    assert bytes_in(large) <= 2.3 * bytes_in(small) + 50_000


def test_a_long_key_over_many_values_stays_under_40_megabytes() -> None:
    half = 48_000
    text = '{"' + "k" * half + '":[' + ",".join(["0"] * (half // 2)) + "]}"
    tokens = [TokenLogprob(text[at : at + 4], -0.1) for at in range(0, len(text), 4)]
    assert bytes_in(lambda: field_confidences(tokens, text)) < 40_000_000


def test_a_list_of_ten_thousand_is_not_looked_through_for_each_value() -> None:
    few, many = (GROWTH.enumeration(size) for size in (200, 10_000))
    text = str(few["items"]["enum"][:100]).replace("'", '"')
    tokens = GROWTH.cut(text, 4, GROWTH.OTHERS)

    def work(schema: dict) -> int:
        return calls_in(lambda: field_confidences(tokens, text, schema=schema))

    # Each label is encoded once: some twenty calls of a label, not of a label and item.
    assert work(many) - work(few) < 30 * 9_800


def test_a_tool_call_costs_what_it_has() -> None:
    made = [{"name": "f", "args": {"a": number}, "id": str(number)} for number in range(200)]
    text = "".join(f'{{"a": {number}}}' for number in range(200))
    tokens = GROWTH.cut(text, 3)
    alone = calls_in(lambda: tool_call_confidences(tokens, made[-1:]))
    assert calls_in(lambda: tool_call_confidences(tokens, made)) < alone + 200 * 400
