"""The command line of `python tests/golden`, and the sets that it and the test compare."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from .comparison import Entries, allowed, compare, report, write_golden
from .documents import COUNT, document
from .recording import DATA, load_records
from .replay import SETTINGS, Flat, Replayer

DOCUMENTS = "documents"
OTHER_SETTINGS_EVERY = 20


def replay_records(file: str, names: Sequence[str]) -> Entries:
    """Replay a file of records with some of SETTINGS.

    Returns:
        Every span as "record/settings/number", and the points of the metrics.
    """
    entries: dict[str, Flat] = {}
    records = load_records(file)
    for name in names:
        replayer = Replayer(SETTINGS[name])
        for record in records:
            for number, span in enumerate(replayer.replay(record.events()).spans):
                entries[f"{record.name}/{name}/{number}"] = span
        entries |= {f"metrics/{name}/{point}": flat for point, flat in replayer.metrics().items()}
    return entries


def replay_documents() -> Entries:
    """Replay the random documents: all with the default settings, every twentieth with each of the others."""
    entries: dict[str, Flat] = {}
    for name, settings in SETTINGS.items():
        replayer = Replayer(settings)
        for number in range(0, COUNT, 1 if name == "default" else OTHER_SETTINGS_EVERY):
            title, events = document(number)
            for span in replayer.replay(events).spans:
                entries[f"{title}/{name}"] = span
        entries |= {f"metrics/{name}/{point}": flat for point, flat in replayer.metrics().items()}
    return entries


SETS: dict[str, Callable[[], Entries]] = {
    "providers": lambda: replay_records("providers", ["default", "no text"]),
    "model": lambda: replay_records("model", list(SETTINGS)),
    DOCUMENTS: replay_documents,
}


def golden_file(folder: Path, name: str) -> Path:
    """Return where a set's golden file is."""
    return folder / f"golden_{name}.json.gz"


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns 1 where something differs."""
    parser = argparse.ArgumentParser(prog="python tests/golden", description="Golden files of spans.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--compare", nargs="?", type=Path, const=DATA, metavar="DIR", help="compare with golden files")
    action.add_argument("--write", nargs="?", type=Path, const=DATA, metavar="DIR", help="write the golden files")
    action.add_argument("--dump", type=Path, metavar="DIR", help="write every span in full, as JSON to read")
    action.add_argument("--record-model", action="store_true", help="record answers of the real local model")
    action.add_argument("--record-providers", action="store_true", help="record the rows of the table of providers")
    parser.add_argument("--sets", default=",".join(SETS), help="which sets, separated by commas")
    parser.add_argument("--allow", default="", metavar="NAME,NAME", help="names that may differ (with * and ?)")
    parser.add_argument("--approximate", action="store_true", help="floats may differ in their last digits")
    parser.add_argument("--full", action="store_true", help="with --write: the documents in full too, not as digests")
    given = parser.parse_args(argv)
    if given.record_providers or given.record_model:
        return _record(model=given.record_model)
    if given.compare is None:
        folder = given.write or given.dump
        folder.mkdir(parents=True, exist_ok=True)
    failed = False
    for name in given.sets.split(","):
        entries = SETS[name]()
        if given.dump:
            (given.dump / f"{name}.json").write_text(json.dumps(entries, indent=1))
        elif given.write:
            write_golden(golden_file(given.write, name), entries, digests=name == DOCUMENTS and not given.full)
        else:
            found = allowed(compare(golden_file(given.compare, name), entries, approximate=given.approximate), [
                pattern.strip() for pattern in given.allow.split(",")
            ])  # fmt: skip
            failed |= bool(found)
            print(f"--- {name}: {len(entries):,} spans and points of metrics, {len(found):,} differences")
            if found:
                print(report(found))
            continue
        print(f"{name}: {len(entries):,} spans and points of metrics, {sum(map(len, entries.values())):,} values")
    return int(failed)


def _record(*, model: bool) -> int:
    # Imported here: they need what makes the answers, and nothing else does.
    if model:
        from .record_model import record
    else:
        from .record_providers import record
    made, total = record()
    print(f"{made} recorded; {total} are in the file")
    return 0
