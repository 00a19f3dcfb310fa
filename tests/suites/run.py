"""The test suites of langchain-core, langchain and langgraph with our handler on everything: does any test fail for it?

    make suites [ARGS="langchain-core ..."]

Each suite comes with the source archive of the installed version, which pip fetches from PyPI. It is run twice, without
and with the handler; what fails only with it is run with it once more, alone, before it counts. Prints a line for each
suite, and fails where a test does, or where a span was started and never ended.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache" / "suites"

SUITES = {
    "langchain-core": ("tests/unit_tests", []),
    "langchain": ("tests/unit_tests", []),
    "langgraph": ("tests", ["-o", "addopts=--snapshot-warn-unused"]),
}
"""The folder of each suite's tests in the source archive, and options for pytest."""


EXPECTED = {"test_merge_config_callbacks"}
"""It counts the handlers of a group: one more with any handler that LangChain's own hook adds, be it one that does
nothing."""


def source(package: str) -> Path:
    """Return the unpacked source archive of the installed version of a package."""
    version = importlib.metadata.version(package)
    folder = CACHE / f"{package.replace('-', '_')}-{version}"
    if not folder.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", package]
        subprocess.run([*pip, "--dest", str(CACHE), f"{package}=={version}"], check=True)
        with tarfile.open(CACHE / f"{folder.name}.tar.gz") as archive:
            archive.extractall(CACHE, filter="data")
        # The installed package is what is tested, and not the archive's copy of it.
        shutil.rmtree(folder / package.replace("-", "_"))
    return folder


def run(package: str, *, handler: bool, only: list[str] | None = None) -> dict[str, Any]:
    """Run a suite.

    Args:
        package: The package.
        handler: Whether our handler is on everything.
        only: These tests, one after the other; None for all.

    Returns:
        How its tests went, and what the handler saw.
    """
    folder = source(package)
    tests, options = SUITES[package]
    seen = CACHE / f"{package}-seen"
    shutil.rmtree(seen, ignore_errors=True)
    seen.mkdir(parents=True)
    report = CACHE / f"{package}-{'with' if handler else 'without'}.xml"
    plugin = ["-p", "on_everything"] if handler else []
    several = ["-n", "2", "--dist", "worksteal"] if only is None else ["-n", "0"]
    environ = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "LOGPROBS_SUITES_SEEN": str(seen),
        "NO_DOCKER": "true",
        "LANGSMITH_TRACING": "false",
        "LANGCHAIN_TRACING_V2": "false",
    }
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", *plugin, *several, *options, "-q", "--timeout", "300"]
    command += ["-p", "no:cacheprovider", "--junitxml", str(report), "-o", "junit_family=xunit1", *(only or [tests])]
    with (CACHE / f"{report.stem}.log").open("w") as log:
        subprocess.run(
            command,
            cwd=folder,
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    outcomes = {}
    for case in ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('file')}::{case.get('classname')}::{case.get('name')}"
        bad = case.find("failure") is not None or case.find("error") is not None
        outcomes[name] = "failed" if bad else "skipped" if case.find("skipped") is not None else "passed"
    return {
        "outcomes": outcomes,
        "seconds": time.monotonic() - start,
        "seen": [json.loads(each.read_text()) for each in seen.iterdir()],
    }


def id_of(name: str, package: str) -> str:
    """Return the id by which pytest knows a test of a report."""
    file, classname, test = name.split("::", 2)
    module = file.removesuffix(".py").replace("/", ".")
    inside = classname.removeprefix(module).strip(".").replace(".", "::")
    return f"{file}::{inside}::{test}" if inside else f"{file}::{test}"


def compare(package: str) -> bool:
    """Run a suite without and with the handler, print how it went, and return whether all is well."""
    without = run(package, handler=False)
    with_handler = run(package, handler=True)
    counts = [Counter(each["outcomes"].values()) for each in (without, with_handler)]
    seen = with_handler["seen"]
    totals = {key: sum(each[key] for each in seen) for key in ("started", "ended", "left")}
    new = [name for name, how in with_handler["outcomes"].items() if how == "failed" != without["outcomes"].get(name)]
    again = run(package, handler=True, only=[id_of(name, package) for name in new])["outcomes"] if new else {}
    still = [name for name, how in again.items() if how == "failed" and name.split("::")[-1] not in EXPECTED]
    print(f"{package} {importlib.metadata.version(package)}")
    for title, count, each in zip(("without", "with"), counts, (without, with_handler), strict=True):
        told = ", ".join(f"{number:,} {how}" for how, number in sorted(count.items()))
        print(f"  {title:8} {told} in {each['seconds']:.0f} s")
    print(f"  spans: {totals['started']:,} started, {totals['ended']:,} ended, {totals['left']} open at the end")
    for what in ("reasons", "lines"):
        for text, number in sum((Counter(each[what]) for each in seen), Counter[str]()).items():
            print(f"  {number} times: {text}")
    print(f"  new failures: {len(still)} (expected, or once and not again: {len(new) - len(still)})", flush=True)
    print("".join(f"    {name}\n" for name in still), end="")
    fewer = sum(counts[0].values()) - sum(counts[1].values())
    return not still and totals["started"] == totals["ended"] > 0 and fewer <= 0


def main() -> int:
    """Compare each suite."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", choices=[[], *SUITES], help="these alone")
    CACHE.mkdir(parents=True, exist_ok=True)
    well = [
        compare(package) for package in parser.parse_args().suites or SUITES
    ]  # all of them, whatever the first says
    return int(not all(well))


if __name__ == "__main__":
    sys.exit(main())
