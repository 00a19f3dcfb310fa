"""The labelled answers and what the script says of them: the promises of docs/confidence.md, checked."""

from __future__ import annotations

import gzip
import itertools
import json
import math
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from langchain_logprobs import confidence_of

FOLDER = Path(__file__).parents[1] / "benchmarks" / "labelled"
pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason="the benchmarks are not in the source distribution")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch):
    """Import a module of the folder, whose scripts find each other beside them."""
    monkeypatch.syspath_prepend(FOLDER)

    def load(name: str) -> ModuleType:
        monkeypatch.delitem(sys.modules, name, raising=False)
        return __import__(name)

    yield load
    for name in ("answers", "evaluate", "figures", "tables", "tasks", "words"):
        sys.modules.pop(name, None)


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def evaluate(module, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the script in this process, which takes a tenth of the time."""
    main = module("evaluate").main

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["evaluate.py", *map(str, arguments)])
        code = main()
        return Ended(code, *capsys.readouterr())

    return run


def test_it_runs_as_a_script():
    command = [sys.executable, str(FOLDER / "evaluate.py"), "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert ended.returncode == 0, ended.stderr
    assert "labelled answers" in ended.stdout


def test_the_default_levels_keep_their_promise(evaluate, tmp_path):
    figures = tmp_path / "figures.json"
    ended = evaluate("--check", "--json", figures)
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr
    published = json.loads(figures.read_text())["levels"]["as published"]
    assert published["right of high"]["share"] >= 0.95
    assert published["low of wrong"]["share"] >= 0.8
    assert sum(published[level]["of"] for level in ("high", "medium", "low")) == 1_050


def test_where_a_model_repeats_one_word_the_check_fails(evaluate):
    ended = evaluate("--check", FOLDER / "one_word.jsonl.gz")
    assert ended.returncode == 1
    assert "MISSED  right of high" in ended.stdout


ROW = {"model": "m", "task": "t", "gold": {"a": 1}, "text": '{"a": 1}'}


@pytest.mark.parametrize(
    "written, said",
    [
        (None, "No such file"),
        (b"not compressed", "gzip"),
        (gzip.compress(b"x" * 100, mtime=0)[:-12], "end-of-stream"),
        (gzip.compress(b"no json\n", mtime=0), "Expecting value"),
        (gzip.compress(b"[]\n", mtime=0), "line 1 is no object"),
        (gzip.compress(json.dumps({"text": "{}"}).encode(), mtime=0), "line 1 is no object"),
        (gzip.compress(json.dumps(ROW).encode(), mtime=0), "line 1 has no logprobs"),
        (
            gzip.compress(json.dumps(ROW | {"gold": 1, "container": {"content": [1]}}).encode(), mtime=0),
            "gold is no object",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_said(evaluate, tmp_path, written, said):
    path = tmp_path / "answers.jsonl.gz"
    if written is not None:
        path.write_bytes(written)
    ended = evaluate(path)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_an_empty_file_keeps_no_promise(evaluate, tmp_path):
    path = tmp_path / "answers.jsonl.gz"
    path.write_bytes(gzip.compress(b"", mtime=0))
    assert evaluate(path).returncode == 0
    assert evaluate(path, "--check", "--markdown").returncode == 1


@pytest.mark.parametrize("key", ["container", "logprobs", "raw"])
def test_the_answers_of_others_are_read(tmp_path, module, key):
    path = tmp_path / "answers.jsonl.gz"
    content: list[Any] = [
        {"token": piece, "logprob": math.log(0.5), "top_logprobs": []} for piece in ('{"a": ', "1", "}")
    ]
    path.write_bytes(gzip.compress(json.dumps(ROW | {key: {"content": content}}).encode(), mtime=0))
    (answer,) = module("answers").read(path)
    row = module("evaluate").report_rows(answer)
    assert (row.right, row.level, len(row.fields)) == (True, "low", 1)
    assert row.fields[0].numbers["confidence"] == row.least == pytest.approx(0.25)


@pytest.mark.parametrize(
    "text, gold, right",
    [
        ('{"a": 4.0}', {"a": 4}, {"a": True}),
        (' {"a": "x"}\n', {"a": "x"}, {"a": True}),
        ('{"a": "X"}', {"a": "x"}, {"a": False}),
        ('{"a": true}', {"a": 1}, {"a": False}),
        ('{"a": 1}', {"a": True}, {"a": False}),
        ('{"a": "1"}', {"a": 1}, {"a": False}),
        ('{"a": null}', {"a": None}, {"a": True}),
        ("{}", {"a": None}, {"a": False}),
        ('{"a": 1, "a": 2, "b": 3}', {"a": 2}, {"a": True}),
        ('{"a": 1},', {"a": 1}, {}),
        ('{"a": 1', {"a": 1}, {}),
        ("[1]", {"a": 1}, {}),
        ("", {"a": 1}, {}),
    ],
)
def test_right_is_the_same_value(module, text, gold, right):
    answers = module("answers")
    assert answers.right_fields(text, gold) == right
    assert answers.is_right({"right": right}) is (bool(right) and all(right.values()))


def test_auroc_is_the_share_of_pairs_in_order(module):
    figures, rng = module("figures"), random.Random(1)
    for _ in range(200):
        scored = [(round(rng.random(), rng.choice([1, 3])), rng.random() < 0.5) for _ in range(rng.randint(1, 30))]
        right = [number for number, is_right in scored if is_right]
        wrong = [number for number, is_right in scored if not is_right]
        pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(right, wrong)]
        assert figures.auroc(scored) == (pytest.approx(sum(pairs) / len(pairs)) if pairs else None)


def test_the_exact_interval_is_where_the_tails_are_two_and_a_half_percent(module):
    figures = module("figures")
    for total in (1, 7, 40):
        for count in range(total + 1):
            low, high = figures.exact_interval(count, total)
            mass = [
                [math.comb(total, n) * p**n * (1 - p) ** (total - n) for n in range(total + 1)] for p in (low, high)
            ]
            assert low == 0 if count == 0 else sum(mass[0][count:]) == pytest.approx(0.025)
            assert high == 1 if count == total else sum(mass[1][: count + 1]) == pytest.approx(0.025)
    assert figures.exact_interval(0, 0) is None


def test_calibration_error_and_bootstrap(module):
    figures = module("figures")
    assert figures.calibration_error([(0.95, True), (0.9, False), (0.1, False), (1.0, True)]) == pytest.approx(0.2375)
    assert figures.calibration_error([]) is None
    scored = [(n / 50, n > 20) for n in range(50)]
    assert figures.bootstrap(scored, figures.auroc) == (1.0, 1.0)
    assert figures.bootstrap(scored[:5], figures.auroc) is None


def test_the_answers_are_those_of_the_tasks(module):
    answers, tasks = module("answers"), {task.name: task for task in module("tasks").tasks()}
    for path, one_word in ((answers.OWN, False), (answers.ONE_WORD, True)):
        found = answers.read(path)
        assert {answer["task"] for answer in found} == {
            task.name for task in tasks.values() if task.one_word is one_word
        }
        for answer in found:
            task = tasks[answer["task"]]
            assert task.items[answer["item"]] == (answer["question"], answer["gold"])
            assert answer["question"] not in [question for question, _ in task.shown]
            assert answer["schema"] in (None, task.schema)
            spelled = "".join(entry["token"] for entry in answer["container"]["content"])
            assert answer["text"].strip() == spelled.strip()


def test_a_task_of_one_word_is_one(module):
    """The rule by which answers are kept apart: nine of ten say the same, at most half of them rightly."""
    answers = module("answers")
    groups: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for answer in [*answers.read(answers.OWN), *answers.read(answers.ONE_WORD)]:
        if len(answer["gold"]) == 1:
            key = answer["task"], answer["model"]
            groups.setdefault(key, []).append((answer["text"], answers.is_right(answer)))
    found = set()
    for (task, _), given in groups.items():
        texts = [text.replace(" ", "") for text, _ in given]
        most = max(set(texts), key=texts.count)
        right = [is_right for text, (_, is_right) in zip(texts, given, strict=True) if text == most]
        if len(right) >= 0.9 * len(given) and sum(right) <= len(right) / 2:
            found.add(task)
    assert found == {answer["task"] for answer in answers.read(answers.ONE_WORD)}


def test_confidence_of_takes_each_answer(module):
    from langchain_core.messages import AIMessage

    for answer in module("answers").read()[::20]:
        message = AIMessage(answer["text"], response_metadata={"logprobs": answer["container"]})
        report = confidence_of(message, schema=answer["schema"])
        assert report.status == "recorded"
        assert {leaf.path for leaf in report.leaves()} >= {
            f"/{name}" for name, right in answer["right"].items() if right
        }
