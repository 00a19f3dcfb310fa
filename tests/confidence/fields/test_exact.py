"""The distribution against the truth: small token models whose probabilities are known by enumeration.

A model here is a list of whole answers, each cut into tokens, with a probability. What the model says at each place
follows from that, and so does the true probability of every value: no upper bound may lie below it.
"""

import itertools
import json
import math
import random
from collections import defaultdict
from typing import Any

import pytest

from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.distribution import Distribution
from langchain_logprobs.formats.tokens import Alternative, TokenLogprob

RAW = [
    '"good"', '"goo"', '"go"', '"bad"', '""', '"g"', '"1"', '"null"', '"true"', '"caf\\u00e9"', '"café"', '"日"',
    '"月"',
    '"a\\"b"', '"a"', '"a\\/b"', '"a/b"', "null", "true", "false", "1", "10", "1.0", "1.5", "1.50", "-1", "100", "[1]",
    '{"b": 1}', "[]", '"no"', '"not sure"', '"not"',
]  # fmt: skip
LEADS = ["", "", " ", " ", "\n  "]
TAILS = ["}", "}", " }", "\n}", "}\n"]
Sequence = tuple[str, ...]


def cut(rng: random.Random, text: str) -> Sequence:
    """A text as tokens: of single characters, of everything at once, or of anything in between."""
    share = rng.choice([0.0, 0.2, 0.4, 0.7, 1.0])
    places = [0, *(place for place in range(1, len(text)) if rng.random() < share), len(text)]
    return tuple(text[low:high] for low, high in itertools.pairwise(places))


def make_model(rng: random.Random) -> dict[Sequence, float]:
    """Some answers with their probabilities, several of them often beginning alike."""
    weights: dict[Sequence, float] = {}
    pool = rng.sample(RAW, rng.randint(2, 7))
    for _ in range(rng.randint(2, 9)):
        answer = '{"a":' + rng.choice(LEADS) + rng.choice(pool) + rng.choice(TAILS)
        head = rng.choice([len('{"a"'), len('{"a":'), len('{"a":')])
        weights[(answer[:head], *cut(rng, answer[head:]))] = rng.random() ** rng.choice([1, 1, 4])
    total = math.fsum(weights.values())
    return {answer: weight / total for answer, weight in weights.items()}


def following(model: dict[Sequence, float], before: Sequence) -> dict[str, float]:
    """The model's next tokens behind some tokens."""
    masses: dict[str, float] = defaultdict(float)
    for answer, probability in model.items():
        if answer[: len(before)] == before and len(answer) > len(before):
            masses[answer[len(before)]] += probability
    total = math.fsum(masses.values())
    return {token: mass / total for token, mass in masses.items()}


def say(rng: random.Random, model: dict[Sequence, float], answer: Sequence) -> list[TokenLogprob]:
    """One answer as a provider sends it, with the most likely alternatives at each place."""
    shown = rng.choice([1, 2, 3, 5, 20])
    tokens = []
    for index, token in enumerate(answer):
        masses = following(model, answer[:index])
        top = sorted(masses.items(), key=lambda item: -item[1])[:shown]
        alternatives = tuple(Alternative(other, math.log(mass)) for other, mass in top)
        tokens.append(TokenLogprob(token, math.log(masses[token]), None, alternatives))
    return tokens


def make_schema(rng: random.Random, values: list[Any]) -> dict[str, Any]:
    """A closed list, a list or any value of a type, or a union of types."""
    scalars = [value for value in values if not isinstance(value, (list, dict))]
    listed = {"enum": [*rng.sample(scalars, rng.randint(0, len(scalars))), rng.choice(["zzz", 7, None])]}
    kinds = rng.sample(["string", "number", "boolean", "null", "object", "array"], rng.randint(1, 3))
    choice = rng.random()
    if choice < 0.5:
        inner: dict[str, Any] = listed
    elif choice < 0.8:
        inner = {"anyOf": [{"type": kind} for kind in kinds]}
    else:
        inner = {"anyOf": [listed, *({"type": kind} for kind in kinds[:1])]}
    return {"type": "object", "properties": {"a": inner}}


def kind_of(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "number", float: "number", dict: "object", list: "array"}
    return names.get(type(value), "null")


def truth(model: dict[Sequence, float], tokens: list[TokenLogprob]) -> list[tuple[Any, float]]:
    """Each answer's value and its probability, given what was said before the token with its first character."""
    first, spelled = 0, 0
    text = "".join(token.token for token in tokens)
    start = len('{"a":') + len(text[len('{"a":') :]) - len(text[len('{"a":') :].lstrip())
    while spelled + len(tokens[first].token) <= start:
        spelled += len(tokens[first].token)
        first += 1
    before = tuple(token.token for token in tokens[:first])
    alike = {answer: mass for answer, mass in model.items() if answer[:first] == before}
    total = math.fsum(alike.values())
    return [(json.loads("".join(answer))["a"], mass / total) for answer, mass in alike.items()]


def check(spread: Distribution, true: list[tuple[Any, float]], context: object) -> None:
    assert spread.coverage + spread.unresolved + spread.other <= 1 + 1e-9
    for label in spread.labels:
        same = [mass for value, mass in true if kind_of(value) == kind_of(label.value) and value == label.value]
        assert math.fsum(same) <= label.upper + 1e-9, (label, context)
        assert 0 <= label.mass <= label.upper
    for one in spread.kinds:
        assert math.fsum(mass for value, mass in true if kind_of(value) == one.kind) <= one.upper + 1e-9, (one, context)


@pytest.mark.parametrize("block", range(6))
def test_no_upper_bound_is_below_the_truth(block: int) -> None:
    distributions = 0
    for seed in range(block * 500, block * 500 + 500):
        rng = random.Random(seed)
        model = make_model(rng)
        answer = rng.choice([*model])
        tokens = say(rng, model, answer)
        values = [json.loads("".join(other))["a"] for other in model]
        schema = make_schema(rng, values)
        report = field_confidences(tokens, schema=schema)
        field = report["/a"]
        assert field.value == json.loads("".join(answer))["a"]
        if field.distribution is not None:
            distributions += 1
            check(field.distribution, truth(model, tokens), (seed, schema, model, answer))
            best = max((label.mass for label in field.distribution.labels if label.value != field.value), default=0)
            assert field.runner_up is None or field.runner_up.probability >= best
    assert distributions > 300


def test_the_probability_of_a_value_with_all_alternatives_and_one_spelling_is_exact() -> None:
    """Where the value has one spelling, its start, core and end together are its probability."""
    checked = 0
    for seed in range(2000):
        rng = random.Random(seed)
        values = rng.sample(RAW, 4)
        answers = {('{"a":', *cut(rng, raw), "}"): rng.random() for raw in values}
        total = math.fsum(answers.values())
        model = {answer: weight / total for answer, weight in answers.items()}
        answer = rng.choice([*model])
        tokens = say(random.Random(1), model, answer)
        field = field_confidences(tokens)["/a"]
        if field.is_leaf and len({json.dumps(value) for value, _ in truth(model, tokens)}) == len(model):
            checked += 1
            assert field.probability == pytest.approx(model[answer]), (seed, model, answer)
    assert checked > 1000
