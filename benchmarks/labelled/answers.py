"""The labelled answers as a file: one JSON object a line, compressed; and when a field counts as right."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

OWN = Path(__file__).parent / "answers.jsonl.gz"
ONE_WORD = Path(__file__).parent / "one_word.jsonl.gz"

Answer = dict[str, Any]


def read(path: Path = OWN) -> list[Answer]:
    """Read labelled answers; other people's too, whose container may stand under `logprobs` or `raw`.

    Each needs `model`, `task`, `gold` (an object: the right value of each field), `text`, and its `container`: the
    logprobs as the provider sent them. `schema`, a JSON schema, may be missing.

    Raises:
        OSError: The file cannot be read, or is not compressed.
        ValueError: A line is no labelled answer.
    """
    answers = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            answer = json.loads(line)
            if not isinstance(answer, dict) or not {"model", "task", "text", "gold"} <= answer.keys():
                raise ValueError(f"line {number} is no object with model, task, text and gold")
            container = next((answer[key] for key in ("container", "logprobs", "raw") if answer.get(key)), None)
            if container is None or not isinstance(answer["gold"], dict):
                raise ValueError(f"line {number} has no logprobs, or its gold is no object")
            answer["container"] = container
            answer["right"] = right_fields(answer["text"], answer["gold"])
            answers.append(answer)
    return answers


def write(answers: Iterable[Answer], path: Path = OWN) -> None:
    """Write labelled answers; the same ones always give the same bytes."""
    lines = [json.dumps(answer, ensure_ascii=False, separators=(",", ":")) + "\n" for answer in answers]
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def right_fields(text: str, gold: Mapping[str, Any]) -> dict[str, bool]:
    """Say of each field of the right answer whether the given one has it.

    A value must be the same, to the letter; numbers are compared by value: 4 and 4.0 are the same, true and 1 are not.

    Returns:
        Empty where the text is not one JSON object (white space around it is allowed): a program could not read it,
        so the answer is wrong, but that says nothing of the single fields.
    """
    try:
        given = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(given, dict):
        return {}
    return {name: name in given and _comparable(given[name]) == _comparable(value) for name, value in gold.items()}


def is_right(answer: Answer) -> bool:
    """Whether an answer is right in every field."""
    return bool(answer["right"]) and all(answer["right"].values())


def _comparable(value: Any) -> tuple[str, Any]:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "number" if is_number else type(value).__name__, value
