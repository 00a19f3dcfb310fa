"""Two sources side by side: paired where the inputs pair, as crowds where they do not, and never a made-up number."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from langchain_logprobs.tables import Comparison, compare
from langchain_logprobs.tables.intervals import FEWEST
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.model import SpanData

pytest.importorskip("scipy")

Fields = dict[str, float | None]


def call(number: int, score: float | None, fields: Fields | None = None, **attributes: Any) -> SpanData:
    """A model call; a field whose confidence is None is censored."""
    found: dict[str, Any] = {names.STATUS: "missing" if score is None else "recorded", **attributes}
    if score is not None:
        found |= {names.CONFIDENCE: score, names.LEVEL: "high" if score > 0.8 else "low"}
    if fields:
        found[names.FIELD_PATHS] = tuple(fields)
        found[names.FIELD_CONFIDENCES] = tuple(1.0 if value is None else value for value in fields.values())
        found[names.FIELD_CENSORED] = tuple(at for at, value in enumerate(fields.values()) if value is None)
    return SpanData("ab" * 16, f"{number:016x}", None, "chat m", 1_000 + number, 2_000 + number, found)


def asked(*messages: tuple[str, str]) -> str:
    """Messages in the conventions' form."""
    return json.dumps(
        [{"role": role, "parts": [{"type": "text", "content": text}]} for role, text in messages], ensure_ascii=False
    )


def numbers(count: int, middle: float = 0.6, seed: int = 1) -> list[float]:
    generator = random.Random(seed)
    return [min(0.999, max(0.001, generator.gauss(middle, 0.1))) for _ in range(count)]


def source(scores: Sequence[float | None], key: Callable[[int], dict[str, Any]]) -> list[SpanData]:
    return [call(number, score, **key(number)) for number, score in enumerate(scores)]


def by_system(system: str) -> Callable[[int], dict[str, Any]]:
    return lambda number: {names.INPUT_MESSAGES: asked(("system", system), ("user", f"document {number}"))}


def test_pairs_find_what_crowds_do_not() -> None:
    before = numbers(60)
    after = [score + 0.02 + noise / 100 for score, noise in zip(before, numbers(60, seed=2), strict=True)]
    a, b = source(before, by_system("x")), source(after, by_system("x"))
    paired, crowds = compare(a, b), compare(a, b, pairs=False)
    assert (paired.paired_by, paired.pairs) == (names.INPUT_MESSAGES, 60)
    (score,), (drift,) = paired.differences, crowds.differences
    assert score.difference == pytest.approx(drift.difference)
    assert score.changed is True
    assert drift.changed is False
    assert (crowds.paired_by, crowds.pairs, score.distance) == (None, 0, None)
    assert drift.p_value is not None
    assert drift.p_value > 0.05


@pytest.mark.parametrize(
    ("key_a", "key_b", "by"),
    [
        (by_system("be brief"), by_system("be long"), "last user message"),
        (lambda n: {names.CONVERSATION: f"d{n}"}, lambda n: {names.CONVERSATION: f"d{n}"}, names.CONVERSATION),
        (
            lambda n: {names.CONVERSATION: f"d{n}", names.INPUT_MESSAGES: asked(("user", f"old {n}"))},
            lambda n: {names.CONVERSATION: f"d{n}", names.INPUT_MESSAGES: asked(("user", f"new {n}"))},
            names.CONVERSATION,
        ),
    ],
    ids=["another system prompt", "a conversation each", "another template in the user's message"],
)
def test_two_prompts_pair_by_what_stays_the_same(key_a: Any, key_b: Any, by: str) -> None:
    found = compare(source(numbers(9), key_a), source(numbers(9, 0.8), key_b))
    assert (found.paired_by, found.pairs, found.only_a, found.only_b) == (by, 9, 0, 0)


def test_what_has_no_partner_is_told_and_in_no_number() -> None:
    a = source([0.5] * 10, by_system("x"))
    b = [*source([0.5] * 8, by_system("x")), call(90, 0.001, **by_system("x")(90))]
    found = compare(a, b)
    assert (found.pairs, found.only_a, found.only_b) == (8, 2, 1)
    assert found.differences[0].mean_b == 0.5


def test_an_attribute_of_ones_own_tells_an_input_also_from_a_span_above() -> None:
    root = SpanData("ab" * 16, "ee" * 8, None, "document", 1, 9, {"doc.id": 7})
    below = SpanData("ab" * 16, "cc" * 8, "ee" * 8, "chat m", 2, 3, call(1, 0.5).attributes)
    other = SpanData("ab" * 16, "dd" * 8, None, "chat m", 2, 3, {**call(1, 0.7).attributes, "doc.id": 7})
    found = compare([root, below], [other], by="doc.id")
    assert (found.pairs, found.differences[0].difference) == (1, pytest.approx(0.2))
    with pytest.raises(ValueError, match="no value of doc is on both sides"):
        compare([root, below], [other], by="doc")


def test_several_calls_for_one_input_are_one_input() -> None:
    key = by_system("x")
    a = [call(number, 0.4, **key(number // 3)) for number in range(30)]
    b = [call(number, 0.5 + (number % 3) / 10, **key(number // 3)) for number in range(30)]
    (score,) = compare(a, b).differences
    assert (score.count_a, score.difference) == (10, pytest.approx(0.2))
    assert (score.low, score.high) == (pytest.approx(0.2), pytest.approx(0.2))  # every input by the same


def test_values_are_compared_by_their_paths_with_any_index() -> None:
    key = by_system("x")
    a = [call(n, 0.9, {"/total": 0.5, "/items/0/price": 0.8, "/items/1/price": 0.6}, **key(n)) for n in range(10)]
    b = [call(n, 0.9, {"/total": 0.9, "/items/0/price": 0.7}, **key(n)) for n in range(10)]
    score, total, price = compare(a, b).differences
    assert [score.path, total.path, price.path] == ["", "/total", "/items/*/price"]
    assert total.difference == pytest.approx(0.4)
    assert (price.mean_a, price.mean_b) == (pytest.approx(0.7), pytest.approx(0.7))
    assert (total.changed, price.changed) == (True, False)


def test_the_same_values_are_counted_where_they_were_recorded() -> None:
    def answer(number: int, city: str) -> SpanData:
        tokens = ['{"city": "', city, '"}']
        found = {names.TOKENS: tokens, names.VALUES: (-0.1, -0.2, -0.1), **by_system("x")(number)}
        return call(number, 0.9, {"/city": 0.8}, **found)

    a = [answer(number, "Lima") for number in range(4)]
    b = [answer(number, "Lima" if number else "Quito") for number in range(4)]
    _, city = compare(a, b).differences
    assert city.same == 0.75
    bare = [call(number, 0.9, {"/city": 0.8}, **by_system("x")(number)) for number in range(4)]
    assert compare(a, bare).differences[1].same is None


@pytest.mark.parametrize("pairs", [True, False])
def test_what_has_no_number_is_counted_and_in_no_mean(pairs: bool) -> None:
    key = by_system("x")
    a = [call(n, None if n == 3 else 0.5, {"/a": None if n < 2 else 0.6}, **key(n)) for n in range(12)]
    b = [call(n, 0.7, {"/a": 0.8}, **key(n)) for n in range(12)]
    score, field = compare(a, b, pairs=pairs).differences
    assert (score.unknown_a, score.unknown_b, score.mean_a) == (1, 0, pytest.approx(0.5))
    assert (field.unknown_a, field.unknown_b, field.mean_a) == (2, 0, pytest.approx(0.6))
    assert (score.count_a, score.count_b) == ((11, 11) if pairs else (11, 12))


def test_a_censored_answer_has_no_score() -> None:
    a = [call(n, 0.9, **{names.CENSORED_COUNT: 1 if n else 0}, **by_system("x")(n)) for n in range(3)]
    (score,) = compare(a, a).differences
    assert (score.count_a, score.unknown_a) == (1, 2)


def test_too_few_have_no_interval() -> None:
    key = by_system("x")
    few, enough = numbers(FEWEST - 1), numbers(FEWEST)
    for pairs in (True, False):
        (score,) = compare(source(few, key), source(enough, key), pairs=pairs).differences
        assert (score.low, score.changed, score.p_value) == (None, None, None)
        assert score.difference is not None
        assert compare(source(enough, key), source(enough[::-1], key), pairs=pairs).differences[0].low is not None


def test_a_value_of_one_side_only_has_no_difference() -> None:
    a = [call(n, 0.5, {"/old": 0.5}) for n in range(9)]
    b = [call(n, 0.5, {"/new": 0.5}) for n in range(9)]
    _, old, new = compare(a, b).differences
    assert (old.mean_a, old.mean_b, old.difference, old.low) == (pytest.approx(0.5), None, None, None)
    assert (new.mean_a, new.mean_b) == (None, pytest.approx(0.5))


def test_a_drift_is_found_and_no_drift_is_not() -> None:
    day = lambda seed, middle: [call(n, s, {"/a": s}) for n, s in enumerate(numbers(200, middle, seed))]  # noqa: E731
    same, moved = compare(day(1, 0.6), day(2, 0.6)), compare(day(1, 0.6), day(2, 0.66))
    assert [each.changed for each in same.differences] == [False, False]
    assert [each.changed for each in moved.differences] == [True, True]
    assert all(each.p_value is not None and each.p_value < 0.01 for each in moved.differences)


def test_all_intervals_together_hold_as_often_as_they_promise() -> None:
    # 40 comparisons of 5 numbers where nothing changed: with 95 %, two are expected to have a false alarm.
    alarms = 0
    for trial in range(40):
        generator = random.Random(trial)

        def side(generator: random.Random = generator) -> list[SpanData]:
            return [call(n, generator.random(), {f"/{f}": generator.random() for f in "abcd"}) for n in range(30)]

        alarms += any(each.changed for each in compare(side(), side()).differences)
    assert alarms <= 6  # under 2 % of all such tests would see 7 or more


def test_large_sources_take_no_square_of_time() -> None:
    key = lambda n: {names.CONVERSATION: str(n)}  # noqa: E731
    a, b = source(numbers(6_000), key), source(numbers(6_000, 0.61, 2), key)
    assert compare(a, b).differences[0].changed is True
    assert compare(a, b, pairs=False).differences[0].changed is True


def test_levels_are_counted() -> None:
    found = compare([call(1, 0.9), call(2, None)], [call(1, 0.1)])
    assert (found.calls_a, found.levels_a, found.levels_b) == (2, {"high": 1, "unknown": 1}, {"low": 1})


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(ValueError, match="B: none of its 1 model calls has logprobs"):
        compare([call(1, 0.5)], [call(1, None)])
    with pytest.raises(ValueError, match="A: none of its 0 model calls"):
        compare([], [call(1, 0.5)])
    for wrong in (0.0, 1.0, 95, float("nan")):
        with pytest.raises(ValueError, match="is not over 0 and under 1"):
            compare([call(1, 0.5)], [call(1, 0.5)], confidence=wrong)


def test_without_scipy_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ImportError, match=r"langchain-logprobs\[compare\]"):
        compare(source(numbers(9), by_system("x")), source(numbers(9, seed=2), by_system("x")))


def test_it_is_plain_values_and_shows_itself() -> None:
    from rich.console import Console

    key = lambda n: {names.CONVERSATION: f"{n}"}  # noqa: E731
    a = [call(n, s, {"/<b>[red]\x1b": s}, **key(n)) for n, s in enumerate(numbers(9))]
    b = [call(n, s, {"/<b>[red]\x1b": None}, **key(n)) for n, s in enumerate([*numbers(9, 0.9), 0.5])]
    for pairs in (True, False):
        found = compare(a, b, pairs=pairs, labels=("monday", "tuesday"))
        plain = json.loads(json.dumps(found.to_dict()))
        assert [each["path"] for each in plain["differences"]] == ["", "/<b>[red]\x1b"]
        assert plain["differences"][0]["changed"] is True
        html = found._repr_html_()
        assert "&lt;b&gt;[red]␛" in html
        assert "monday" in html
        console = Console(width=160)
        with console.capture() as captured:
            console.print(found)
        assert "changed" in captured.get()
        assert "too few" in captured.get()
        assert repr(found).startswith("<Comparison of monday and tuesday, ")
    assert "have no partner" in compare(a, b)._repr_html_()


def test_the_same_comparison_gives_the_same_numbers() -> None:
    a, b = source(numbers(30), by_system("x")), source(numbers(30, 0.7), by_system("x"))
    assert compare(a, b) == compare(a, b)
    assert isinstance(compare(a, b), Comparison)
