"""Make rows.csv.gz: one real model, few kinds of question, many answers each, for `langchain-logprobs calibrate`.

    python benchmarks/labelled/rows.py [--items N] [--tasks NAME ...] [--threads N]

A promise about a field needs some hundred labels of it, and the labelled answers beside this file are of many kinds and
few of each. So the questions of some kinds are drawn here in number, asked at temperature 0, and only what a
calibration needs is kept: a row for each value with its confidence and whether it is right.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import make
from langchain_core.messages import AIMessage
from tasks import Question, Task, draw_contact, draw_invoice, draw_order, draw_payment, draw_sum, drawn, tasks

from langchain_logprobs import confidence_of

PATH = Path(__file__).parent / "rows.csv.gz"
DRAWS: dict[str, Callable[[Random], Question]] = {
    "contacts": draw_contact,
    "payments": draw_payment,
    "orders": draw_order,
    "sums": draw_sum,
    "invoices": draw_invoice,
}
COLUMNS = ("model", "prompt", "item", "field_path", "score", "right")


def answered(model: Any, task: Task, items: int) -> list[tuple[str, ...]]:
    """Ask the questions of a task, and return a row for each value that has a confidence."""
    shown, plain = dict(task.shown), task._replace(uses_schema=False)  # one prompt and one kind of request
    questions = [item for item in drawn(task.name, DRAWS[task.name], items, 20) if item[0] not in shown][:items]
    rows: list[tuple[str, ...]] = []
    for number, question in enumerate(questions):
        answer = make.ask(model, plain, 10 * number, question)  # tens are asked at temperature 0
        if answer is None:
            continue
        message = AIMessage(answer["text"], response_metadata={"logprobs": answer["container"]})
        for leaf in confidence_of(message, schema=task.schema).leaves():
            right = answer["right"].get(leaf.path.removeprefix("/"))
            if right is not None and leaf.field.confidence is not None:
                score = round(leaf.field.confidence, 9)
                rows.append((answer["model"], task.name, str(number), leaf.path, str(score), str(int(right))))
    return rows


def save(rows: list[tuple[str, ...]], name: str) -> None:
    """Write the rows of a task; those of the others stay as they are."""
    kept: list[tuple[str, ...]] = []
    if PATH.exists():
        with gzip.open(PATH, "rt", encoding="utf-8", newline="") as file:
            kept = [tuple(row) for row in csv.reader(file) if row[1] not in (name, "prompt")]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *kept, *rows])
    PATH.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--items", type=int, default=300, help="questions of each kind")
    parser.add_argument("--tasks", nargs="+", default=list(DRAWS), choices=list(DRAWS))
    parser.add_argument("--threads", type=int, default=1, help="threads to compute with")
    options = parser.parse_args()
    with make.served("smollm2", options.threads) as model:
        for task in [task for task in tasks() if task.name in options.tasks]:
            started = time.monotonic()
            rows = answered(model, task, options.items)
            save(rows, task.name)
            print(f"{task.name}: {len(rows)} rows, {time.monotonic() - started:.0f} s", flush=True)
    sys.stdout.flush()
    os._exit(0)  # llama.cpp's threads are not ended, and nobody is left to ask them anything


if __name__ == "__main__":
    main()
