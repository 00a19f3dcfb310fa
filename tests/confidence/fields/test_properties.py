"""Any JSON document in any tokens: paths and values are those of json.loads, and no prefix of it ever raises."""

import itertools
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_logprobs.confidence.alignment.token_bytes import utf8
from langchain_logprobs.confidence.fields.assign import field_confidences
from langchain_logprobs.confidence.fields.find_json import find_document
from langchain_logprobs.confidence.fields.json_scan import scan
from langchain_logprobs.confidence.fields.report import Field, FieldReport, FieldStatus
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.profile import examples

KEYS = st.sampled_from(["a", "b", "", "a/b", "~", 'q"', "é", "日本", "😀", "\\", "\n", "0"]) | st.text(max_size=5)
NUMBERS = st.sampled_from(
    ["0", "-0", "1", "-12", "1.5", "-0.25", "1e5", "1E-7", "2.5e+10", "12345678901234567890", "1e400"]
)
STRINGS = st.text(st.sampled_from('ab "\\/\n\té日😀\ud83d') | st.characters(), max_size=8)
BLANKS = st.sampled_from(["", "", "", " ", "\n  ", "\t"])


@st.composite
def strings(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """A JSON string, each character escaped or not."""
    pieces = []
    for char in draw(texts):
        escaped = json.dumps(char)[1:-1]
        must = char in '"\\' or char < " " or "\ud800" <= char <= "\udfff"
        if char == "/" and draw(st.booleans()):
            escaped = "\\/"
        pieces.append(escaped if must or draw(st.booleans()) else char)
    return '"' + "".join(pieces) + '"'


SCALARS = NUMBERS | st.sampled_from(["true", "false", "null"]) | strings(STRINGS)


@st.composite
def containers(draw: st.DrawFn, members: st.SearchStrategy[str]) -> str:
    """An array or an object; keys can come twice, white space anywhere."""
    items = draw(st.lists(members, max_size=5))
    if draw(st.booleans()):
        parts, brackets = items, "[]"
    else:
        parts = [draw(strings(KEYS)) + draw(BLANKS) + ":" + draw(BLANKS) + item for item in items]
        brackets = "{}"
    blank = draw(BLANKS)
    return brackets[0] + blank + (blank + "," + blank).join(parts) + blank + brackets[1]


DOCUMENTS = st.recursive(SCALARS, containers, max_leaves=20)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its pointer; empty containers are leaves here."""
    if isinstance(value, Pairs):
        for key, member in value:
            yield from leaves(member, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}/{index}")
    else:
        yield path, value


class Pairs(list):
    """An object with its duplicate keys."""


def loads(text: str) -> Any:
    return json.loads(text, object_pairs_hook=Pairs)


def cut(data: st.DataObject, text: str) -> list[TokenLogprob]:
    """Tokens of random bytes of the text: characters and escapes are cut apart."""
    raw = utf8(text)
    cuts = sorted({0, len(raw), *data.draw(st.lists(st.integers(0, len(raw)), max_size=30))})
    return [
        TokenLogprob(raw[start:end].decode("utf-8", "backslashreplace"), -0.125 * (start + 1), raw[start:end])
        for start, end in itertools.pairwise(cuts)
    ]


def logprobs(tokens: list[TokenLogprob], indexes: Iterable[int]) -> list[float]:
    """The logprobs of some of the tokens that `cut` made: none is censored."""
    found = [tokens[index].logprob for index in indexes]
    return [logprob for logprob in found if logprob is not None]


def touched(field: Field) -> range:
    assert field.token_start is not None
    return range(field.token_start, field.token_start + field.token_count)


def check_edges(field: Field, tokens: list[TokenLogprob], ends: list[int], mine: list[int]) -> None:
    """A leaf's probability is that of its core's tokens, of the one with its quote, and of the one that ends it."""
    start = end = None
    if not field.empty_core:
        first = next(i for i in range(len(tokens)) if ends[i + 1] > field.byte_start)
        start = first if first < mine[0] else None
        if ends[mine[-1] + 1] == field.core_byte_end and mine[-1] + 1 < len(tokens):
            end = mine[-1] + 1
    assert field.start_logprob == (None if start is None else tokens[start].logprob)
    assert field.end_logprob == (None if end is None else tokens[end].logprob)
    every = logprobs(tokens, [*mine, *(i for i in (start, end) if i is not None)])
    assert field.probability == pytest.approx(math.exp(math.fsum(every)), rel=1e-9)
    assert field.min_probability == pytest.approx(math.exp(min(every)))
    if field.basis == "value":
        assert field.confidence == field.probability
    else:
        quote = 1.0 if start is None else math.exp(*logprobs(tokens, [start]))
        assert field.joint_logprob is not None
        assert field.confidence == pytest.approx(quote * math.exp(field.joint_logprob / len(mine)))


def check_containers(report: FieldReport, tokens: list[TokenLogprob]) -> None:
    """Containers have the numbers of the union of their values' tokens."""
    single = [field for field in report.fields if field.is_leaf or field.empty_core]
    for holder in report.fields:
        if holder in single:
            continue
        union: set[int] = set()
        for field in single:
            if holder.start <= field.start and field.end <= holder.end:
                union |= set(touched(field))
        assert holder.token_count == len(union)
        assert holder.joint_logprob == pytest.approx(math.fsum(logprobs(tokens, union)))
        assert holder.token_start == min(union)
        inside = [field.confidence or 0.0 for field in single
                  if holder.start <= field.start and field.end <= holder.end
                  and (not field.shadowed or holder.shadowed)]  # fmt: skip
        if not any(field.shadowed for field in report.fields):
            assert holder.confidence is not None
            assert holder.confidence <= min(inside)
            if holder.start_probability is None or holder.path == "":
                outer = [other.start_probability for other in report.fields
                         if not other.is_leaf and holder.start < other.start and other.end <= holder.end
                         and other.start_probability is not None and not other.empty_core]  # fmt: skip
                assert holder.confidence == min([*inside, *outer])


@settings(max_examples=examples(2600))
@given(st.data(), DOCUMENTS)
def test_fields_are_those_of_json_loads(data: st.DataObject, text: str) -> None:
    tokens = cut(data, text)
    report = field_confidences(tokens, text)
    assert (report.status, report.alignment) == ("ok", "exact")
    found = [(field.path, loads(text[field.start : field.end])) for field in report.leaves]
    assert found == list(leaves(loads(text)))
    raw = utf8(text)
    ends = [0]
    for token in tokens:
        ends.append(ends[-1] + len(token.bytes or b""))
    for field in report.fields:
        assert raw[field.byte_start : field.byte_end] == utf8(text[field.start : field.end])
        assert raw[field.core_byte_start : field.core_byte_end] == utf8(text[field.core_start : field.core_end])
        assert field.closed
        assert field.token_count >= 1
        if not field.is_leaf:
            continue
        # Its tokens are all that hold a byte of its core (of its quotes, where it is empty), and no other.
        start, end = field.core_byte_start, field.core_byte_end
        if field.empty_core:
            start, end = field.byte_start, field.byte_end
        mine = [i for i in range(len(tokens)) if ends[i] < end and ends[i + 1] > start]
        assert mine == list(touched(field))
        assert field.joint_logprob == pytest.approx(math.fsum(logprobs(tokens, mine)))
        check_edges(field, tokens, ends, mine)
    check_containers(report, tokens)
    shown = {field.path for field in report.fields if not field.shadowed}
    last = {path for path, _ in leaves(json.loads(text, object_pairs_hook=lambda pairs: Pairs(dict(pairs).items())))}
    assert {field.path for field in report.leaves if not field.shadowed} <= last
    assert last - shown == set()


@settings(max_examples=examples(1400))
@given(st.data(), DOCUMENTS.filter(lambda text: text[0] in '{["'))
def test_every_prefix(data: st.DataObject, text: str) -> None:
    whole = {(value.path, value.start): value for value in scan(text).values}
    at = data.draw(st.integers(0, len(text) - 1))
    for end in {*range(0, len(text), len(text) // 15 + 1), at}:
        document = scan(text[:end])
        assert document.state == "truncated"
        closed = set()
        for value in document.values:
            full = whole[value.path, value.start]
            assert value.kind == full.kind
            if value.closed:
                closed.add((value.path, value.start))
                assert (value.end, value.core_start, value.core_end) == (full.end, full.core_start, full.core_end)
            else:
                assert value.end == end
        # nothing that ended is missed; a number at the cut may go on
        sure = {key for key, full in whole.items() if full.end < end or (full.end == end and full.kind != "number")}
        assert closed == sure
        field_confidences([TokenLogprob(text[:end], -0.5)], text[:end])


@settings(max_examples=examples(1500))
@given(st.text(st.sampled_from('{}[]",:\\u0019.-eEtrufalsn `\n') | st.characters(), max_size=40), st.text(max_size=10))
def test_any_text(text: str, other: str) -> None:
    """Nothing raises; and what is complete here is complete for json.loads, and the other way round."""
    for tokens in ([TokenLogprob(text, -0.5)], [TokenLogprob(char, None) for char in other]):
        for field in field_confidences(tokens, text).fields:
            assert 0 <= field.start <= field.core_start <= field.core_end <= field.end <= len(text)
    document = scan(text)
    try:
        json.loads(text, strict=False)
        readable = True
    except ValueError:
        readable = False
    assert (document.state == "complete" and not text[document.end :].strip(" \t\n\r")) == readable


@pytest.mark.parametrize("text", ["NaN", "[Infinity, -Infinity]", '"a\nb"', '{"a":"\\u00e9\\/"}'])
def test_what_python_reads_beyond_the_standard(text: str) -> None:
    assert scan(text).state == "complete"
    json.loads(text, strict=False)


@pytest.mark.parametrize(
    "text", ["[Na", "[-Inf", "[-", "[1.", "[1e", "[1e+", "[1.5E-", '["\\', '["\\u00', '{"\\u', "[fals"]
)
def test_cut_inside_a_value_or_a_key(text: str) -> None:
    assert scan(text).state == "truncated"


@pytest.mark.parametrize(
    "text", ["[+1", "[.5", "[1.e5", "[1.x", "[00", "[1ee5", "[-x", "[Nan", "[tru]", '["\\u00g0"]', "[\u00a01]"]
)
def test_no_json(text: str) -> None:
    assert scan(text).state == "invalid"


def test_shadowed_containers_with_all_that_they_hold() -> None:
    text = '{"a":{"b":[1]},"c":2,"a":3,"a":{"b":[4]}}'
    report = field_confidences([TokenLogprob(text, -0.5)], text)
    assert [(field.path, field.shadowed) for field in report.fields] == [
        ("", False), ("/a", True), ("/a/b", True), ("/a/b/0", True), ("/c", False), ("/a", True), ("/a", False),
        ("/a/b", False), ("/a/b/0", False),
    ]  # fmt: skip
    assert report["/a/b/0"].start == text.index("4")


@pytest.mark.parametrize("text, status", [
    ("[" * 100_000, FieldStatus.TOO_LARGE),
    ('{"a":' * 100_000, FieldStatus.TOO_LARGE),
    ("[" * 128 + "]" * 128, FieldStatus.OK),
    ('"' + "\\n" * 500_000, FieldStatus.TRUNCATED),
    ('{"a":"' + "x" * 1_000_000 + '"}', FieldStatus.OK),
    ("[" + "9" * 5000 + "]", FieldStatus.OK),
    ("[" + "1," * 20_000 + "1]", FieldStatus.OK),
    ("{ " * 50_000, FieldStatus.INVALID),
    ("see [x] " * 20_000, FieldStatus.NO_JSON),
    ("```json\n" * 5_000, FieldStatus.NO_JSON),
    ('{"a":1,' * 50_000, FieldStatus.INVALID),
    ("[x, " * 50_000, FieldStatus.INVALID),
    ('"' * 50_001, FieldStatus.NO_JSON),
])  # fmt: skip
def test_huge_and_deep(text: str, status: str) -> None:
    # A square would take minutes and run into pytest's timeout; how the work grows is counted in test_growth.py.
    assert field_confidences([TokenLogprob(text, -0.5)], text).status == status


def test_where_a_document_starts() -> None:
    document = find_document("so: [1]")
    assert document is not None
    assert (document.start, document.end) == (4, 7)
    assert scan("  x").start == 2
