"""The sorted labels find the same as a look at each of them, and the pointers of JSON are what RFC 6901 says."""

import json
import random

import pytest

from langchain_logprobs.confidence.fields.json_pointer import escape, join, split, unescape
from langchain_logprobs.confidence.fields.labels import LabelIndex, Scalar, kind_of

VALUES: list[Scalar] = [
    "a",
    "ab",
    "abc",
    "b",
    "",
    "é",
    "日本",
    "日",
    'q"',
    "1",
    1,
    10,
    1.5,
    -1,
    100,
    True,
    False,
    None,
    "null",
    "a b",
]


STRINGS = [value for value in VALUES if isinstance(value, str)]


def fitting(index: LabelIndex, spelled: str) -> list:
    return [index.value(rank) for ranks in index.fitting(spelled.encode()) for rank in ranks]


@pytest.mark.parametrize("spelled, expected", [
    ('"a', ["a", "ab", "abc", "a b"]), ('"ab"', ["ab"]), ('"ab",', ["ab"]), ('"abx', []), ('"', STRINGS),
    ("1", [1, 10, 1.5, 100]), ("1}", [1]), ("1.", [1, 1.5]), ("1.0", [1]), ("1.50", [1.5]), ("10 ", [10]), ("-", [-1]),
    ("1e", [1, 10, 1.5, -1, 100]), ("t", [True]), ("true", [True]), ("true,", [True]), ("n", [None]), ("nul", [None]),
    ("x", []), ("{", []), ("truex", []), ('"\\u0061', STRINGS), ('"\\u0061"', ["a"]),
    ('"q\\"', ['q"']), ("tru}", []), ("9" * 5000 + " ", []),
])  # fmt: skip
def test_what_fits(spelled: str, expected: list) -> None:
    found = fitting(LabelIndex(VALUES), spelled)
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


@pytest.mark.parametrize("spelled, expected", [
    ("not", ["not", "not sure", "nothing"]), ("not\n", ["not"]), ("not<|end|>", ["not"]), ("not ", ["not sure", "not"]),
    ("no", ["no", "not", "not sure", "nothing"]), ("not s", ["not sure"]), ("nothin", ["nothing"]), ("x", []),
    ("no.", []), ("3", [3, 30]), ("3 ", [3]),
])  # fmt: skip
def test_what_fits_without_quotes(spelled: str, expected: list) -> None:
    index = LabelIndex(["not", "not sure", "nothing", "no", 3, 30], bare=True)
    assert sorted(map(repr, fitting(index, spelled))) == sorted(map(repr, expected))


def test_any_label_and_any_beginning_of_it() -> None:
    rng = random.Random(3)
    for _ in range(300):
        values = list(
            dict.fromkeys("".join(rng.choices("ab日", k=rng.randint(0, 4))) for _ in range(rng.randint(1, 30)))
        )
        index = LabelIndex(values)
        for value in rng.sample(values, min(5, len(values))):
            raw = json.dumps(value, ensure_ascii=False)
            spelled = raw[: rng.randint(1, len(raw))]
            expected = [other for other in values if json.dumps(other, ensure_ascii=False).startswith(spelled)]
            assert sorted(fitting(index, spelled)) == sorted(expected)


def test_ranks() -> None:
    index = LabelIndex(VALUES)
    assert [index.value(index.rank(value)) for value in VALUES] == VALUES  # type: ignore[arg-type]
    assert index.value(index.rank(1.0)) == 1  # type: ignore[arg-type]
    assert index.rank("zzz") is index.rank([1]) is index.rank({}) is None
    assert index == LabelIndex(VALUES)
    assert index != LabelIndex(VALUES, bare=True)
    assert index != VALUES
    assert repr(index) == f"LabelIndex({len(VALUES)} labels)"


def test_kinds() -> None:
    assert [kind_of(raw) for raw in (b'"', b"-1", b"t", b"f", b"nu", b"{", b"[", b"x", b"")] == [
        "string", "number", "boolean", "boolean", "null", "object", "array", None, None]  # fmt: skip


@pytest.mark.parametrize(
    "key, escaped", [("a", "a"), ("a/b", "a~1b"), ("~", "~0"), ("~1", "~01"), ("", ""), ("é/~/", "é~1~0~1"), (7, "7")]
)
def test_pointer_parts(key: str | int, escaped: str) -> None:
    assert escape(key) == escaped
    assert unescape(escaped) == str(key)
    assert join(["x", key]) == f"/x/{escaped}"
    assert split(f"/x/{escaped}") == ["x", str(key)]


def test_pointers_of_the_whole_document() -> None:
    assert (join([]), split("")) == ("", [])
