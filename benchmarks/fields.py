"""What the findings cost at the end of a run: alignment, low-confidence stretches and the fields of a JSON answer.

Prints the median processor time a token. With `--check` it fails where a target is missed.

    python benchmarks/fields.py [--check] [--rounds N]
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Callable

from langchain_logprobs.confidence.alignment.align import align
from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.stretches import low_confidence_stretches
from langchain_logprobs.formats.tokens import Alternative, TokenLogprob, Tokens

TOKENS = 2000
FIELDS = 300
LABELS = ["approved", "rejected", "needs_review", "not_applicable"]
SCHEMA = {
    "properties": {
        "items": {
            "items": {
                "properties": {"status": {"enum": LABELS}, "total": {"type": "number"}, "paid": {"type": "boolean"}},
            }
        }
    }
}


def make_token(text: str, rng: random.Random, low_share: float) -> TokenLogprob:
    """A token with five alternatives, low with the given probability."""
    logprob = math.log(rng.uniform(0.01, 0.19) if rng.random() < low_share else rng.uniform(0.6, 1))
    others = tuple(Alternative(text[:-1] + letter, -3.0 - n, None) for n, letter in enumerate("abcd"))
    alternatives = (Alternative(text, logprob, text.encode()), *others)
    return TokenLogprob(text, logprob, text.encode(), alternatives)


def cut(text: str, count: int, rng: random.Random) -> Tokens:
    """The text as exactly `count` tokens, in columns, as they are when a run ends."""
    places = [0, *sorted(rng.sample(range(1, len(text)), count - 1)), len(text)]
    return Tokens.of(make_token(text[start:end], rng, 0.05) for start, end in itertools.pairwise(places))


def structured_answer(rng: random.Random) -> tuple[Tokens, str]:
    """An answer of 2,000 tokens whose JSON has 300 values: a third text, a third numbers, a third closed lists."""
    items = []
    for number in range(FIELDS // 6):
        words = " ".join(rng.choice(["steel", "bolt", "large", "naïve", "box", "of", "12"]) for _ in range(6))
        items.append({
            "name": words, "note": words[::-1], "total": round(rng.uniform(0, 9999), 2), "count": number,
            "status": rng.choice(LABELS), "paid": rng.random() < 0.5,
        })  # fmt: skip
    text = json.dumps({"items": items}, ensure_ascii=False, indent=1)
    return cut(text, TOKENS, rng), text


def plain_answer(rng: random.Random) -> tuple[Tokens, str]:
    """An answer of 2,000 tokens of prose, one in twenty of them low."""
    words = [
        rng.choice([" the", " of", " invoice", " total", ",", " pay", "ment", " is", ".", " due"])
        for _ in range(TOKENS)
    ]
    return Tokens.of(make_token(word, rng, 0.05) for word in words), "".join(words)


def microseconds(work: Callable[[], object], rounds: int) -> float:
    """The median processor time a token: other programs on the machine do not count."""
    times = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return statistics.median(times) / TOKENS * 1e6


def main() -> int:
    """Measure, print, and check the targets if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    rng = random.Random(4)
    tokens, text = structured_answer(rng)
    alignment = align(tokens, text)
    report = field_confidences(tokens, alignment, schema=SCHEMA)
    assert len(report.leaves) == FIELDS, len(report.leaves)
    assert all(field.distribution for field in report.leaves if field.path.endswith(("status", "paid")))
    plain, plain_text = plain_answer(rng)

    def together() -> None:
        aligned = align(tokens, text)
        low_confidence_stretches(tokens, aligned)
        field_confidences(tokens, aligned, schema=SCHEMA)

    rows: list[tuple[str, Callable[[], object], float | None]] = [
        ("JSON: alignment", lambda: align(tokens, text), None),
        ("JSON: stretches", lambda: low_confidence_stretches(tokens, alignment), None),
        ("JSON: fields", lambda: field_confidences(tokens, alignment), None),
        ("JSON: fields with a schema", lambda: field_confidences(tokens, alignment, schema=SCHEMA), None),
        ("JSON: all together", together, 15.0),
        ("plain text: alignment", lambda: align(plain, plain_text), 1.0),
        ("plain text: alignment and stretches", lambda: low_confidence_stretches(plain, plain_text), 0.5),
        ("plain text: no JSON found", lambda: field_confidences(plain, plain_text), None),
    ]
    missed = 0
    print(f"{TOKENS} tokens, {FIELDS} fields, median of {options.rounds} rounds")
    for name, work, target in rows:
        took = microseconds(work, options.rounds)
        verdict = "" if target is None else f"   target {target:g}: {'met' if took <= target else 'MISSED'}"
        missed += target is not None and took > target
        print(f"  {name:38} {took:7.3f} us a token{verdict}")
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
