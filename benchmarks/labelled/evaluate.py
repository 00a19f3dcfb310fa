"""Do the numbers find the wrong answers? Figures of the package on labelled answers.

    python benchmarks/labelled/evaluate.py [PATH ...] [--json FILE] [--markdown] [--check]

Each PATH is a file of labelled answers (see answers.py), by default the two that make.py made; several are taken
together. With `--check` it exits with 1 where fewer than 95 % of the `high` answers are right, fewer than 80 % of
the wrong ones are `low`, or a field's confidence ranks its values worse than joint x end does, by more than chance. It
exits with 2 for a file that it cannot read.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).parents[1]))

import answers
import figures
import tables
from langchain_core.messages import AIMessage

from langchain_logprobs import Settings, confidence_of
from langchain_logprobs.confidence import verdict

DEFAULTS = Settings()
LEVELS = ("high", "medium", "low")
HIGHS = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.86, 0.9, 0.95)
LOWS = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)

RIGHT_OF_HIGH = 0.95
LOW_OF_WRONG = 0.8
TOLERANCE = 0.005

COLUMNS = ("confidence", "joint", "joint x end", "min.probability", "mean", "answer's score", "answer's entropy")

Figures = dict[str, Any]


class FieldRow(NamedTuple):
    """One field of one answer: whether it is right, and the numbers that might tell, the higher the surer."""

    name: str
    right: bool
    numbers: dict[str, float]


class Row(NamedTuple):
    """One answer.

    Attributes:
        model: The model.
        task: The task.
        right: Whether all of its fields are.
        level: As published.
        detected: Whether low confidence was detected in it.
        score: The answer's confidence, over all its tokens.
        least: The confidence of its least certain field; the score where it has none.
        least_joint: As `least`, with joint x end.
        fields: Those that the right answer has too, and that have a confidence.
    """

    model: str
    task: str
    right: bool
    level: str
    detected: bool
    score: float
    least: float
    least_joint: float
    fields: list[FieldRow]


def report_rows(answer: answers.Answer) -> Row:
    """What the package says of one labelled answer, by its default thresholds. The only place that asks it."""
    message = AIMessage(answer["text"], response_metadata={"logprobs": answer["container"]})
    report = confidence_of(message, schema=answer.get("schema"), settings=DEFAULTS)
    score, entropy = report.score or 0.0, report.measures.entropy_mean or 0.0
    joints, rows = [], []
    for leaf in report.leaves():
        path, field = leaf.path, leaf.field
        if field.joint_logprob is None or field.mean_logprob is None:
            continue
        joint = math.exp(field.joint_logprob)
        ended = joint * (1.0 if field.end_probability is None else field.end_probability)
        joints.append(ended)
        name = path.removeprefix("/")
        if name in answer["right"] and field.confidence is not None:
            numbers = (field.confidence, joint, ended, field.min_probability or 0.0, math.exp(field.mean_logprob))
            named = dict(zip(COLUMNS, (*numbers, score, -entropy), strict=True))
            rows.append(FieldRow(name, answer["right"][name], named))
    least = report.least_field
    return Row(
        answer["model"],
        answer["task"],
        answers.is_right(answer),
        report.level or "none",
        report.detected,
        score,
        score if least is None else least.field.confidence or 0.0,
        min(joints, default=score),
        rows,
    )


def level_of(number: float) -> str:
    return verdict.level_of(number, high=DEFAULTS.high_confidence, medium=DEFAULTS.medium_confidence)


def share(count: int, total: int) -> Figures:
    """A share with its interval."""
    return {
        "count": count,
        "of": total,
        "share": count / total if total else None,
        "interval": figures.exact_interval(count, total),
    }


def level_figures(rows: Sequence[Row]) -> dict[str, Figures]:
    """Right and wrong answers at each level, for the level as published and for what else it could be made of."""
    bases: dict[str, Callable[[Row], str]] = {
        "as published": lambda row: row.level,
        "score, the mean of all tokens": lambda row: level_of(row.score),
        "least field, confidence": lambda row: level_of(row.least),
        "least field, joint x end": lambda row: level_of(row.least_joint),
    }
    results = {}
    for name, level in bases.items():
        counts = Counter((level(row), row.right) for row in rows)
        wrong = sum(count for (_, right), count in counts.items() if not right)
        results[name] = {
            each: {"right": counts[each, True], "of": counts[each, True] + counts[each, False]} for each in LEVELS
        }
        results[name]["right of high"] = share(counts["high", True], results[name]["high"]["of"])
        results[name]["low of wrong"] = share(counts["low", False], wrong)
    return results


def detected_figures(rows: Sequence[Row]) -> Figures:
    detected = [row for row in rows if row.detected]
    wrong = sum(not row.right for row in rows)
    caught = sum(not row.right for row in detected)
    return {"precision": share(caught, len(detected)), "recall": share(caught, wrong)}


def field_figures(rows: Sequence[Row]) -> list[Figures]:
    """How well each number ranks the right values of each field above the wrong ones."""
    groups: dict[tuple[str, str, str], list[FieldRow]] = {}
    for row in rows:
        for field in row.fields:
            groups.setdefault((row.model, row.task, field.name), []).append(field)
    results = []
    for (model, task, name), fields in sorted(groups.items()):
        gap = gap_of(fields)
        noise = None if gap is None else figures.bootstrap(fields, gap_of)
        results.append(
            {
                "model": model,
                "task": task,
                "field": name,
                "n": len(fields),
                "right": sum(field.right for field in fields),
                "auroc": {column: figures.auroc(scored(fields, column)) for column in COLUMNS},
                "interval": figures.bootstrap(fields, lambda drawn: figures.auroc(scored(drawn, COLUMNS[0]))),
                "calibration_error": figures.calibration_error(scored(fields, COLUMNS[0])),
                "gap": gap,
                "gap_interval": noise,
                "behind": gap is not None and gap < -TOLERANCE,
                "surely behind": gap is not None and gap < -TOLERANCE and noise is not None and noise[1] < 0,
            }
        )
    return results


def scored(fields: Sequence[FieldRow], column: str) -> list[figures.Scored]:
    return [(field.numbers[column], field.right) for field in fields]


def gap_of(fields: Sequence[FieldRow]) -> float | None:
    """How much better than joint x end the confidence ranks the fields, in AUROC; None where all or none are right."""
    own, ended = (figures.auroc(scored(fields, column)) for column in ("confidence", "joint x end"))
    return None if own is None or ended is None else own - ended


def threshold_figures(rows: Sequence[Row]) -> list[Figures]:
    """What each threshold on the least certain field's confidence would promise, and what it would leave."""
    results = []
    right, wrong = sum(row.right for row in rows), sum(not row.right for row in rows)
    for threshold in HIGHS:
        above = [row.right for row in rows if row.least >= threshold]
        results.append(
            {
                "level": f"high from {threshold:.2f}",
                "precision": share(sum(above), len(above)),
                "recall": share(sum(above), right),
            }
        )
    for threshold in LOWS:
        below = [not row.right for row in rows if row.least < threshold]
        results.append(
            {
                "level": f"low under {threshold:.2f}",
                "precision": share(sum(below), len(below)),
                "recall": share(sum(below), wrong),
            }
        )
    return results


def evaluate(paths: Sequence[Path]) -> Figures:
    """All figures of files of labelled answers, taken together."""
    rows = [report_rows(answer) for path in paths for answer in answers.read(path)]
    return {
        "answers": len(rows),
        "right": sum(row.right for row in rows),
        "levels": level_figures(rows),
        "detected": detected_figures(rows),
        "fields": field_figures(rows),
        "thresholds": threshold_figures(rows),
    }


def problems(results: Figures) -> list[str]:
    """Where the figures do not keep what is promised."""
    published = results["levels"]["as published"]
    bounds = [("right of high", RIGHT_OF_HIGH), ("low of wrong", LOW_OF_WRONG)]
    found = [
        f"{name}: {published[name]['share'] or 0:.3f} is under {bound}"
        for name, bound in bounds
        if (published[name]["share"] or 0) < bound
    ]
    return found + [
        f"{row['model']} {row['task']} /{row['field']}: AUROC {row['auroc']['confidence']:.3f} is behind "
        f"joint x end, {row['auroc']['joint x end']:.3f}, by more than chance"
        for row in results["fields"]
        if row["surely behind"]
    ]


def number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def span(interval: Sequence[float] | None, digits: int = 2) -> str:
    return "" if interval is None else f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def percent(part: Figures) -> str:
    """A share as it stands in a table: 64 of 65, 98 % (92 to 100)."""
    if part["share"] is None:
        return "none"
    low, high = (100 * end for end in part["interval"])
    return f"{part['count']} of {part['of']}, {100 * part['share']:.0f} % ({low:.0f} to {high:.0f})"


def level_table(results: Figures) -> list[list[str]]:
    table = [["level from", *(f"right of {level}" for level in LEVELS), "high: right", "wrong: low"]]
    for name, row in results["levels"].items():
        cells = [f"{row[level]['right']} / {row[level]['of']}" for level in LEVELS]
        table.append([name, *cells, percent(row["right of high"]), percent(row["low of wrong"])])
    return table


def detected_table(results: Figures) -> list[list[str]]:
    found = results["detected"]
    return [
        ["low_confidence.detected", "share (95 % interval)"],
        ["precision: of the detected, wrong", percent(found["precision"])],
        ["recall: of the wrong, detected", percent(found["recall"])],
    ]


def field_table(results: Figures) -> list[list[str]]:
    table = [["model, task, field", "n", "right", "ECE", "AUROC (95 % interval)", *COLUMNS[1:], "behind joint x end"]]
    for row in results["fields"]:
        ranks = [number(row["auroc"][column]) for column in COLUMNS]
        interval = f" ({span(row['interval'])})" if row["interval"] else ""
        table.append(
            [
                f"{row['model']} {row['task']} /{row['field']}",
                str(row["n"]),
                number(row["right"] / row["n"]),
                number(row["calibration_error"]),
                ranks[0] + interval,
                *ranks[1:],
                f"{row['gap']:+.3f} ({span(row['gap_interval'], 3)})" if row["behind"] else "",
            ]
        )
    return table


def threshold_table(results: Figures) -> list[list[str]]:
    table = [["least field's confidence", "precision", "recall"]]
    return table + [[row["level"], percent(row["precision"]), percent(row["recall"])] for row in results["thresholds"]]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "paths", nargs="*", type=Path, default=[answers.OWN, answers.ONE_WORD], metavar="PATH", help="labelled answers"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a bound is missed")
    options = parser.parse_args()
    try:
        results = evaluate(options.paths)
    except (OSError, EOFError, ValueError) as error:  # EOFError: a compressed file that is cut off
        print(f"{', '.join(map(str, options.paths))}: {error}", file=sys.stderr)
        return 2
    draw = tables.as_markdown if options.markdown else tables.as_text
    print(f"{results['answers']} answers, {results['right']} right in every field\n")
    for table in (level_table, detected_table, threshold_table, field_table):
        print(draw(table(results)))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    missed = problems(results)
    for problem in missed:
        print(f"MISSED  {problem}")
    return 1 if options.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
