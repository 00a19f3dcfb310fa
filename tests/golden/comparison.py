"""Golden files: everything that a replay gave, in full or as digests, and what differs from it, name by name.

A golden file in full has every value of every span. One of digests has, for each name, two SHA-256 over all spans
(floats to the last bit, and rounded to eight digits), which see every change, and a byte for each span, which tells
nearly always where it is. Of every fiftieth span it has everything, so that a difference can be shown.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from .recording import read_json, write_json
from .replay import Flat

Entries = Mapping[str, Flat]
"""The spans and the points of metrics of one set, by their names."""

EXAMPLE_EVERY = 50
CLOSE = 1e-8
ABSENT = ".."
_WIDTH = len(ABSENT)
_METRICS = "metrics/"
_SHOWN = 400


class Unknown:
    """Stands for a value of which there is only a digest, or nothing at all."""

    def __init__(self, text: str) -> None:
        self.text = text


NOT_THERE = Unknown("(not there)")
DIGEST_ONLY = Unknown("(only its digest is in the golden file)")
SOMEWHERE = Unknown("(some span differs, and its digest does not show which)")
LAST_DIGITS = Unknown("(some spans differ in the last digits of their floats)")


class Difference(NamedTuple):
    """One name that differs in one span.

    Attributes:
        name: The attribute's name, or what else of a span it is.
        entry: The span.
        before: Its value in the golden file; an Unknown where that does not have it.
        after: Its value now.
    """

    name: str
    entry: str
    before: Any
    after: Any


def write_golden(path: Path, entries: Entries, *, digests: bool) -> None:
    """Write the golden file of one set."""
    if not digests:
        # Sorted, what one record gives with each of the settings stands together, where it compresses well.
        write_json(path, {"entries": dict(sorted(entries.items()))})
        return
    columns = {
        name: {
            "exact": _sha256(entries, name),
            "rounded": _sha256(entries, name, _rounded),
            "digests": "".join(_digests(entries, name)),
        }
        for name in sorted({name for flat in entries.values() for name in flat})
    }
    examples = {
        entry: flat
        for number, (entry, flat) in enumerate(entries.items())
        if number % EXAMPLE_EVERY == 0 or entry.startswith(_METRICS)
    }
    write_json(path, {"count": len(entries), "columns": columns, "entries": examples})


def compare(path: Path, after: Entries, *, approximate: bool = False) -> list[Difference]:
    """Compare with a golden file.

    Args:
        path: The file.
        after: What a replay gives now.
        approximate: Whether floats may differ by one part in 1e8: another machine's exp() and log(), and another
            Python's sum(), differ in the last digits.
    """
    golden = read_json(path)
    before: Entries = golden["entries"]
    if "columns" not in golden:
        found = list(_in_full(before, after, approximate=approximate))
        return found + [Difference("the whole", name, NOT_THERE, after[name]) for name in after if name not in before]
    if golden["count"] != len(after):
        return [Difference("how many there are", "all", golden["count"], len(after))]
    found = list(_in_full(before, after, approximate=approximate))
    shown = {(difference.name, difference.entry) for difference in found}
    found += [
        difference
        for difference in _by_digest(golden["columns"], after, approximate=approximate)
        if (difference.name, difference.entry) not in shown
    ]
    return found


def _in_full(before: Entries, after: Entries, *, approximate: bool) -> Iterator[Difference]:
    for entry, flat in before.items():
        now = after.get(entry)
        if now is None:
            yield Difference("the whole", entry, flat, NOT_THERE)
            continue
        for name in sorted(flat.keys() | now.keys()):
            pair = flat.get(name, NOT_THERE), now.get(name, NOT_THERE)
            if not _same(*pair, approximate=approximate):
                yield Difference(name, entry, *pair)


def _by_digest(columns: Mapping[str, Any], after: Entries, *, approximate: bool) -> Iterator[Difference]:
    never = {"exact": None, "rounded": None, "digests": ABSENT * len(after)}
    for name in sorted({*columns, *(name for flat in after.values() for name in flat)}):
        column = columns.get(name, never)
        if column["exact"] == _sha256(after, name):
            continue
        old = column["digests"]
        differ = False
        for number, (entry, digest) in enumerate(zip(after, _digests(after, name), strict=True)):
            was = old[number * _WIDTH : (number + 1) * _WIDTH]
            if digest != was:
                differ = True
                value = after[entry].get(name, NOT_THERE)
                yield Difference(name, entry, NOT_THERE if was == ABSENT else DIGEST_ONLY, value)
        if not differ and column["rounded"] != _sha256(after, name, _rounded):
            yield Difference(name, "all", SOMEWHERE, SOMEWHERE)
        elif not differ and not approximate:
            yield Difference(name, "all", LAST_DIGITS, LAST_DIGITS)


def _sha256(entries: Entries, name: str, form: Callable[[Any], Any] = lambda value: value) -> str:
    every = [form(flat.get(name, ABSENT)) for flat in entries.values()]
    return hashlib.sha256(json.dumps(every).encode()).hexdigest()


def _digests(entries: Entries, name: str) -> Iterator[str]:
    for flat in entries.values():
        if name not in flat:
            yield ABSENT
        else:
            text = json.dumps(_rounded(flat[name])).encode()
            yield hashlib.blake2b(text, digest_size=_WIDTH // 2).hexdigest()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.8g}")
    return [_rounded(item) for item in value] if isinstance(value, list) else value


def _same(before: Any, after: Any, *, approximate: bool) -> bool:
    """Tell whether two values are equal: 1 and 1.0 are not, NaN and NaN are."""
    if isinstance(before, Unknown) or isinstance(after, Unknown):
        return before is after
    if json.dumps(before) == json.dumps(after):
        return True
    return approximate and _distance(before, after) <= CLOSE


def _distance(before: Any, after: Any) -> float:
    """Return how far floats are apart at the most, as a share of the larger one; infinite where more differs."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return max(map(_distance, before, after), default=0.0)
    if isinstance(before, float) and isinstance(after, float):
        size = max(abs(before), abs(after))
        return 0.0 if before == after else abs(before - after) / size if math.isfinite(size) else math.inf
    return 0.0 if json.dumps(before) == json.dumps(after) else math.inf


def allowed(differences: Iterable[Difference], patterns: Sequence[str]) -> list[Difference]:
    """Return the differences whose name matches none of the patterns (as fnmatch has them)."""
    return [each for each in differences if not any(fnmatchcase(each.name, pattern) for pattern in patterns)]


def report(differences: Sequence[Difference]) -> str:
    """Return what differs, a paragraph a name: in how many spans, and the first of them with both values."""
    by_name: dict[str, list[Difference]] = {}
    for each in differences:
        by_name.setdefault(each.name, []).append(each)
    return "\n".join(
        _paragraph(name, mine) for name, mine in sorted(by_name.items(), key=lambda item: (-len(item[1]), item[0]))
    )


def _paragraph(name: str, mine: list[Difference]) -> str:
    known = [each for each in mine if not isinstance(each.before, Unknown) and not isinstance(each.after, Unknown)]
    example = (known or mine)[0]
    lines = [f"{name}: {len(mine):,} differ, for example {example.entry}"]
    where = ""
    before, after = example.before, example.after
    while isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        index = next(index for index in range(len(before)) if not _same(before[index], after[index], approximate=False))
        before, after, where = before[index], after[index], f"{where}[{index}]"
    lines += [f"    before{where}: {_shown(before)}", f"    after{where}:  {_shown(after)}"]
    farthest = max((_distance(each.before, each.after) for each in known), default=math.inf)
    if farthest <= CLOSE:
        lines.append(f"    in the last digits only: at most {farthest:.1g} of the value, where it is known")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, Unknown):
        return value.text
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + f"… ({len(text):,} characters)"
