"""Do the thresholds of `langchain-logprobs calibrate` keep their promise on other rows, and do its maps help there?

    python benchmarks/labelled/promise.py [PATH] [--splits N] [--error A] [--confidence C] [--json FILE] [--check]

PATH is a file of labelled answers (see answers.py) or of labelled rows (see rows.py; the default). Each field of each
model and task is looked at in three ways, 200 splits each:

- half and half: calibrate on one half, drawn by chance; count how often the accepted of the other half hold a greater
  share of wrong ones than promised. The other half is itself a small sample: it can be over by its own bad luck.
- drawn: calibrate on as many rows drawn with replacement from all. All of them are then the whole truth, and whether
  the promise is kept is no matter of luck.
- maps, of fields whose rows give one: learn it from four fifths, say the probability of the other fifth, until each row
  had its turn, 40 times, in other partitions than those by which `calibrate` decides to give a map.

So that small sets are tried at all, the least number of labels and of wrong ones are lower here than by default; the
promise does not stand on them. With `--check` it fails where a share of broken promises is over 1 - C by more than
chance explains, or where the maps of a field do not lower its calibration error on average.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))

import answers
import numpy as np
import tables
from langchain_core.messages import AIMessage
from scipy.stats import binom

from langchain_logprobs import confidence_of
from langchain_logprobs.calibration import Calibrated, Row, calibrate, read_rows
from langchain_logprobs.calibration.figures import brier, calibration_error
from langchain_logprobs.calibration.fit import FOLDS, PARTITIONS, cross_fitted

ROWS = Path(__file__).parent / "rows.csv.gz"
LEAST_LABELS, LEAST_OF_A_KIND = 20, 4
LEAST_FOR_MAP = 40
CHANCE = 0.01

Figures = dict[str, Any]


def rows_in(path: Path) -> list[Row]:
    """The labelled values of a file that have a confidence."""
    if ".csv" in path.name:
        return read_rows(path).rows
    rows = []
    for answer in answers.read(path):
        message = AIMessage(answer["text"], response_metadata={"logprobs": answer["container"]})
        for leaf in confidence_of(message, schema=answer.get("schema")).leaves():
            right, score = answer["right"].get(leaf.path.removeprefix("/")), leaf.field.confidence
            if right is not None and score is not None:
                rows.append(Row(answer["model"], answer["task"], leaf.path, str(answer["item"]), score, right))
    return rows


class Tally:
    """What one way of drawing came to."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.tried = 0
        self.promised: list[tuple[float, float]] = []  # share accepted, share of these wrong

    def add(self, found: Calibrated | None, scores: np.ndarray, right: np.ndarray) -> None:
        """Count what a calibration does on rows."""
        self.tried += 1
        if found is not None and found.threshold is not None:
            accepted = scores >= found.threshold
            if accepted.any():
                self.promised.append((float(accepted.mean()), float((~right[accepted]).mean())))

    def figures(self, error: float) -> Figures:
        """How often there was a threshold, what it accepted, and the share of all splits that broke the promise."""
        broken = sum(wrong > error for _, wrong in self.promised)
        return {
            "tried": self.tried,
            "thresholds": len(self.promised),
            "accepted": float(np.mean([share for share, _ in self.promised])) if self.promised else None,
            "wrong": float(np.mean([wrong for _, wrong in self.promised])) if self.promised else None,
            "broken": broken / self.tried,
        }


def learn(rows: Sequence[Row], chosen: np.ndarray, error: float, confidence: float) -> Calibrated | None:
    """Calibrate on some of the rows; None where they are all right or all wrong."""
    # A row that is drawn twice is two answers here, so each draw gets a number of its own.
    sample = [rows[index]._replace(item=str(number)) for number, index in enumerate(chosen)]
    if len({row.right for row in sample}) == 1:
        return None
    least = {"least_labels": LEAST_LABELS, "least_of_a_kind": LEAST_OF_A_KIND}
    return calibrate(sample, error=error, confidence=confidence, **least).groups[0].result


def group_figures(rows: Sequence[Row], splits: int, error: float, confidence: float) -> Figures:
    """Draw from the rows of one field, both ways, and look at its map."""
    rng = np.random.default_rng(20261125)
    scores = np.array([row.score for row in rows])
    right = np.array([row.right for row in rows])
    halves, drawn, half = Tally(), Tally(), (len(rows) + 1) // 2
    for _ in range(splits):
        order = rng.permutation(len(rows))
        halves.add(learn(rows, order[:half], error, confidence), scores[order[half:]], right[order[half:]])
        drawn.add(learn(rows, rng.integers(0, len(rows), len(rows)), error, confidence), scores, right)
    model, prompt, path = rows[0].key
    return {
        "field": f"{model} {prompt} {path}",
        "labels": len(rows),
        "wrong": int((~right).sum()),
        "halves": halves.figures(error),
        "drawn": drawn.figures(error),
        "map": map_figures(rows, scores, right, splits // FOLDS),
    }


def map_figures(rows: Sequence[Row], scores: np.ndarray, right: np.ndarray, times: int) -> Figures | None:
    """How good the probabilities are of rows that the map was not learned from; None where no map is given."""
    whole = learn(rows, np.arange(len(rows)), 0.1, 0.9)
    if whole is None or not whole.points or len(rows) < LEAST_FOR_MAP:
        return None
    # Other partitions than those that `calibrate` itself looked at.
    held_out = [cross_fitted(scores, right, PARTITIONS + seed) for seed in range(times)]
    figures = {"ece": calibration_error, "brier": brier}
    means = {
        name: [figure(scores, right), float(np.mean([figure(said, right) for said in held_out]))]
        for name, figure in figures.items()
    }
    return {"method": whole.method, **means}


def evaluate(rows: Sequence[Row], splits: int, error: float, confidence: float) -> list[Figures]:
    groups: dict[tuple[str, str | None, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.key].append(row)
    return [
        group_figures(groups[key], splits, error, confidence)
        for key in sorted(groups, key=str)
        if min(sum(row.right for row in groups[key]), sum(not row.right for row in groups[key])) >= LEAST_OF_A_KIND
    ]


def problems(results: Sequence[Figures], confidence: float) -> list[str]:
    """Where a promise is broken more often than it says, or maps do not help."""
    found = []
    for row in results:
        for way in ("halves", "drawn"):
            part = row[way]
            # So many of the splits may break it by chance, where each does so with the probability that was promised.
            most = binom.ppf(1 - CHANCE, part["tried"], 1 - confidence) / part["tried"]
            if part["broken"] > most:
                found.append(f"{row['field']}, {way}: {part['broken']:.1%} of the splits are over the promise")
        if row["map"] and row["map"]["ece"][1] >= row["map"]["ece"][0]:
            found.append(f"{row['field']}: ECE {row['map']['ece'][0]:.3f} to {row['map']['ece'][1]:.3f}")
    return found


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def table(results: Sequence[Figures]) -> list[list[str]]:
    head = ["field", "labels", "wrong", "halves: got one", "accepted", "wrong in it", "over"]
    lines = [[*head, "drawn: got one", "accepted", "over", "map", "ECE", "Brier"]]
    for row in results:
        cells = [row["field"], str(row["labels"]), str(row["wrong"])]
        half, drawn = row["halves"], row["drawn"]
        cells += [f"{half['thresholds'] / half['tried']:.0%}", number(half["accepted"]), number(half["wrong"])]
        cells.append(f"{half['broken']:.1%}")
        cells += [f"{drawn['thresholds'] / drawn['tried']:.0%}", number(drawn["accepted"]), f"{drawn['broken']:.1%}"]
        cells.append(row["map"]["method"] if row["map"] else "none")
        for name in ("ece", "brier"):
            cells.append("{} to {}".format(*map(number, row["map"][name])) if row["map"] else "")
        lines.append(cells)
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("path", nargs="?", type=Path, default=ROWS, help="labelled answers or rows")
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--error", type=float, default=0.1)
    parser.add_argument("--confidence", type=float, default=0.9)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a promise is not kept")
    options = parser.parse_args()
    results = evaluate(rows_in(options.path), options.splits, options.error, options.confidence)
    print((tables.as_markdown if options.markdown else tables.as_text)(table(results)))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    missed = problems(results, options.confidence)
    for problem in missed:
        print(f"MISSED  {problem}")
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
