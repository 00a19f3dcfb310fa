"""`align` against a second implementation, and against the truth: an offset that it publishes is right."""

import random

import pytest

from langchain_logprobs.confidence.alignment.align import align
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.oracle import alignment as oracle

PIECES = [
    "a",
    "b",
    " ",
    "\n",
    "1",
    ",",
    "é",
    "日",
    "😀",
    " a",
    "a ",
    "ab",
    "\ufffd",
    "",
    "Ġ",
    "▁a",
    "```",
    "</s>",
    "<s>",
]
MARKS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<|end|>", "```json\n", "\n```", "."]


def random_case(chance: random.Random) -> tuple[list[TokenLogprob], str]:
    """A list of tokens and a text that is made of them, cut and disturbed in some way."""
    words = [chance.choice(PIECES + MARKS * chance.randint(0, 1)) for _ in range(chance.randint(0, 6))]
    text = "".join(word for word in words if chance.random() < 0.85)
    first, last = sorted(chance.randint(0, len(text)) for _ in range(2))
    text = chance.choice([text, text, "".join(words), text[first:last], text.replace("\ufffd", "é")])
    if chance.random() < 0.5:
        text = text.replace("Ġ", " ").replace("▁", " ")
    if chance.random() < 0.3:
        words = ["" if word in ("é", "日", "😀") else word for word in words]
    return [token for word in words for token in tokens_of_word(word, chance)], text


def tokens_of_word(word: str, chance: random.Random) -> list[TokenLogprob]:
    """The word as one token with or without bytes, or as two that cut its first character."""
    form = chance.choice(["none", "none", "own", "cut"])
    if form != "cut" or word.isascii() or word == "\ufffd":
        return [TokenLogprob(word, -0.5, None if form == "none" else word.encode())]
    raws = word.encode()[:1], word.encode()[1:]
    form = chance.choice(["replacement", "empty", "vllm", "true bytes", "latin-1"])
    if form == "vllm":
        return [TokenLogprob("", -0.5, b""), TokenLogprob(word, -0.5, word.encode())]
    if form == "true bytes":
        return [TokenLogprob(chance.choice(["", "\ufffd"]), -0.5, raw) for raw in raws]
    shown = {"replacement": "\ufffd", "empty": ""}
    return [TokenLogprob(shown.get(form, raw.decode("latin-1")), -0.5) for raw in raws]


def check(count: int, seed: int) -> dict[str, int]:
    """Compare `count` random cases; return how often each status came."""
    seen: dict[str, int] = {}
    for number in range(seed, seed + count):
        tokens, text = random_case(random.Random(number))
        found = align(tokens, text)
        seen[found.status.value] = seen.get(found.status.value, 0) + 1
        if not found.failed:
            places = oracle.place(tokens, text)
            assert places is not None, (number, tokens, text, found)
            wrong = [span for span, place in zip(found.byte_spans, places, strict=True) if span not in (place, None)]
            assert not wrong, (number, tokens, text, found.byte_spans, places)
    return seen


def test_no_other_place_than_the_oracle_finds() -> None:
    assert set(check(1500, 0)) == {"exact", "substring", "partial", "stripped", "resynchronised", "failed"}


@pytest.mark.slow
def test_no_other_place_than_the_oracle_finds_in_many_cases() -> None:
    assert min(check(20_000, 10_000).values()) > 100
