"""Tries the newest of everything that the locks hold back: says what is newer, and what fails with it.

It decides over nothing: `.ci/run` installs what the locks say. It works on a clone of the last commit, in
.cache/newest/, so neither the locks nor the environments of this checkout change. To take the newest over, when all is
well or has been put right: `make lock UPGRADE=--upgrade`.

    make newest                          all of TARGETS
    make newest ARGS="lint providers"    these targets of the Makefile
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".cache" / "newest"
CLONE = WORK / "clone"
TARGETS = (
    "lint",
    "types",
    "test",
    "test-oldest",
    "providers-litellm",
    "providers-most",
    "peers",
    "demo",
    "bench-quick",
)

Pins = dict[str, set[str]]
"""The versions of each package: more than one where it depends on the Python or the platform."""


def pins(lock: Path) -> Pins:
    """The versions that a lock holds."""
    text = lock.read_text(encoding="utf-8")
    if lock.name == "uv.lock":
        packages = tomllib.loads(text)["package"]
        pairs = [(package["name"], package["version"]) for package in packages if "version" in package]
    else:
        pairs = re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)
    found: Pins = {}
    for name, version in pairs:
        found.setdefault(name, set()).add(version)
    return found


def changes(before: Pins, after: Pins) -> Iterator[str]:
    """A line for each package whose versions are not the same."""
    for name in sorted(before.keys() | after.keys()):
        old, new = (", ".join(sorted(side.get(name, {"none"}))) for side in (before, after))
        if old != new:
            yield f"{name} {old} -> {new}"


def failures(log: str) -> list[str]:
    """The tests that failed, as pytest sums them up; the last lines where it was not a test that failed."""
    return re.findall(r"^(?:FAILED|ERROR) .*", log, re.MULTILINE) or log.strip().splitlines()[-10:]


def make(target: str, *arguments: str) -> bool:
    """Run a target in the clone, print how it went, and return whether it succeeded; its output is in a file."""
    log, start = WORK / f"{target}.log", time.monotonic()
    with log.open("w", encoding="utf-8") as output:
        command = ["make", target, "UV_PIN=uv", *arguments]
        done = subprocess.run(command, cwd=CLONE, stdout=output, stderr=subprocess.STDOUT, check=False)
    verdict = "passed" if done.returncode == 0 else "FAILED"
    print(f"=== make {target}: {verdict} in {time.monotonic() - start:.0f} s ({log.relative_to(ROOT)})", flush=True)
    if done.returncode:
        print(*failures(log.read_text(encoding="utf-8", errors="replace")), sep="\n", flush=True)
    return done.returncode == 0


def main() -> int:
    """Return 0 where everything passed, or where nothing is newer than the locks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=TARGETS, help="targets of the Makefile")
    options = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(CLONE)], check=True)
    locks = [Path("uv.lock"), *sorted(each.relative_to(CLONE) for each in CLONE.glob("locks/*.txt"))]
    before = {lock: pins(CLONE / lock) for lock in locks}
    if not make("lock", "UPGRADE=--upgrade"):
        return 1
    anything = False
    for lock in locks:
        for line in changes(before[lock], pins(CLONE / lock)):
            anything = True
            print(f"{lock}: {line}", flush=True)
    if not anything:
        print("Nothing is newer than the locks.")
        return 0
    passed = [make(target) for target in options.targets]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
