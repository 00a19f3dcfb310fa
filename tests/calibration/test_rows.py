"""Bad input: each kind of it is refused with the row and the cure."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from langchain_logprobs.calibration import Row, RowsError, read_rows
from langchain_logprobs.calibration.rows import check
from tests.calibration import populations

HEAD = "score,right,model,field_path,prompt,item\n"
GOOD = "0.93,1,small,/email,v1,a\n"


def written(tmp_path: Path, text: str, name: str = "rows.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("word", ["1", "true", "True", "YES", "right"])
def test_a_row_is_read(tmp_path: Path, word: str) -> None:
    (row,) = read_rows(written(tmp_path, HEAD + f"0.93,{word},small,/email,v1,a\n")).rows
    assert row == Row("small", "v1", "/email", "a", 0.93, True, "rows.csv, line 2")


def test_all_forms_of_a_file_say_the_same(tmp_path: Path) -> None:
    values = {"score": 0.5, "right": False, "model": "klein", "field_path": "", "item": "Übung, 1", "prompt": None}
    cells = '0.5,0,klein,,,"Übung, 1"\n'
    files = {
        "a.csv": HEAD + cells,
        "bom.csv": "\ufeff" + HEAD + cells,
        "semicolons.csv": HEAD.replace(",", ";") + '0.5;0;klein;;;"Übung, 1"\n\n',
        "tabs.tsv": HEAD.replace(",", "\t") + "0.5\t0\tklein\t\t\tÜbung, 1",
        "windows.csv": (HEAD + cells).replace("\n", "\r\n"),
        "a.jsonl": json.dumps(values) + "\n\n",
        "a.json": json.dumps([values], indent=2),
    }
    found = [read_rows(written(tmp_path, text, name)).rows[0]._replace(place="") for name, text in files.items()]
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress((HEAD + cells).encode()))
    found.append(read_rows(packed).rows[0]._replace(place=""))
    assert set(found) == {Row("klein", None, "", "Übung, 1", 0.5, False, "")}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no rows"),
        (HEAD, "holds no rows"),
        ("score,right,model\n0.9,1,m\n", "line 2: the column 'field_path' is missing"),
        ("score,right,model,path\n0.9,1,m,/a\n", "is missing; is it 'path'?"),
        ("score,right,model,field_path,promt\n0.9,1,m,/a,v\n", "'promt' is not known; is it 'prompt'?"),
        ("score,right,model,field_path,split\n0.9,1,m,/a,test\n", "--ignore split"),
        ("score,score,right,model,field_path\n0.9,0.9,1,m,/a\n", "'score' comes 2 times"),
        (HEAD + GOOD + "0.9,1,small\n", "line 3: 3 cells under 6 columns"),
        (HEAD + "high,1,small,/email,v1,a\n", "line 2: score is 'high'"),
        (HEAD + '"0,93",1,small,/email,v1,a\n', "write 0.93, not 0,93"),
        (HEAD + ",1,small,/email,v1,a\n", "line 2: score is ''"),
        (HEAD + "0.9,maybe,small,/email,v1,a\n", "right is 'maybe'; write true or false"),
        (HEAD + "0.9,,small,/email,v1,a\n", "line 2: right is ''"),
        (HEAD + "0.9,1,,/email,v1,a\n", "line 2: model is ''"),
        (HEAD + "0.9,1,m,email,v1,a\n", "the JSON Pointer /email"),
        (HEAD + '0.9,1,"m,/email,v1,a\n', "Is a quote not closed?"),
    ],
)
def test_a_bad_table_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(RowsError, match=r"rows\.csv") as refused:
        read_rows(written(tmp_path, text))
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.json", "[1]", "row 1: a int, not an object"),
        ("a.json", "[{", "no JSON"),
        ("a.jsonl", '{"score": 1\n', "a.jsonl, line 1: no JSON"),
        ("a.jsonl", "[[[[" * 100_000, "no JSON"),
        ("a.jsonl", '{"score": true, "right": true, "model": "m", "field_path": ""}', "NaN"),
        ("a.jsonl", '{"score": 0.5, "right": 0.5, "model": "m", "field_path": ""}', "right is 0.5"),
        ("a.jsonl", '{"score": 0.5, "right": null, "model": "m", "field_path": ""}', "right is None"),
        ("a.jsonl", '{"score": 0.5, "right": 1, "model": 4, "field_path": ""}', "model is 4"),
    ],
)
def test_bad_json_is_refused(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(RowsError) as refused:
        check(read_rows(written(tmp_path, text, name)).rows)
    assert told in str(refused.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    for raw in (b"\xff\xfe\x00s", b"\x1f\x8bnot gzip", gzip.compress(b"score")[:-9]):
        path = tmp_path / "rows.csv"
        path.write_bytes(raw)
        with pytest.raises(RowsError, match="UTF-8"):
            read_rows(path)


def test_a_column_can_be_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path, "score,right,model,field_path,text\n0.9,1,m,/a,hello\n")
    assert read_rows(path, ignore=["text"]).rows[0].score == 0.9


def test_only_the_first_few_of_many_bad_rows_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, HEAD + "x,1,small,/email,v1,a\n" * 40)
    with pytest.raises(RowsError, match="and 35 rows more") as refused:
        read_rows(path)
    assert str(refused.value).count("\n") == 5


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"score": float("nan")}, "the score is NaN"),
        ({"score": float("inf")}, "inf is not from 0 to 1"),
        ({"score": 93.0}, "93 is not from 0 to 1. Write no percent"),
        ({"score": -0.105}, "no logprob"),
    ],
)
def test_a_score_that_is_no_share_is_refused(bad: dict[str, float], told: str) -> None:
    rows = populations.rows(30)
    rows[7] = rows[7]._replace(**bad, place="rows.csv, line 9")
    with pytest.raises(RowsError, match=r"rows\.csv, line 9") as refused:
        check(rows)
    assert told in str(refused.value)


@pytest.mark.parametrize(("right", "word"), [(True, "right"), (False, "wrong")])
def test_labels_that_are_all_the_same_are_refused(right: bool, word: str) -> None:
    with pytest.raises(RowsError, match=f"all 30 rows are {word}"):
        check([row._replace(right=right) for row in populations.rows(30)])


def test_an_item_that_comes_twice_in_a_group_is_refused() -> None:
    rows = populations.rows(30)
    rows.append(rows[4]._replace(score=0.123, right=not rows[4].right, place="rows.csv, line 32"))
    with pytest.raises(RowsError, match=r"line 32: item '4' .* tested on the other: keep one row"):
        check(rows)


def test_an_item_has_a_row_in_each_group() -> None:
    check(populations.rows(30) + populations.rows(30, path="/name") + populations.rows(30, model="large"))


def test_a_row_that_comes_twice_is_refused_where_items_are_not_named() -> None:
    rows = [row._replace(item=None) for row in populations.rows(30)]
    check(rows)
    with pytest.raises(RowsError, match="a row that comes twice"):
        check([*rows, rows[3]._replace(place="rows.csv, line 32")])


def test_rounded_scores_without_items_can_be_equal() -> None:
    check([row._replace(item=None, score=round(row.score, 2)) for row in populations.rows(300)])


def test_no_rows_are_refused() -> None:
    with pytest.raises(RowsError, match="no labelled rows"):
        check([])
