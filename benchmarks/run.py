"""All benchmarks: `make bench`.

Prints the tables and the targets, and writes the numbers to benchmarks/results/, one JSON file for each benchmark.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Nothing here may be sent anywhere, whatever the environment says.
for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGCHAIN_TRACING"):
    os.environ[name] = "false"

import ending  # noqa: E402
import overhead  # noqa: E402
import runs  # noqa: E402
import size  # noqa: E402
import tables  # noqa: E402

RESULTS = Path(__file__).parent / "results"

Tables = dict[str, list[list[str]]]


def _overhead(quick: bool) -> tuple[dict[str, Any], Tables]:
    results = overhead.run(quick=quick)
    return results, {
        f"Overhead, {results['tokens']:,} tokens with their top 5, the ending included": overhead.table(results)
    }


def _runs(quick: bool) -> tuple[dict[str, Any], Tables]:
    results = runs.run(quick=quick)
    return results, {
        "Each kind of run, above LangChain alone": runs.table(results["kinds"]),
        "The callbacks alone": runs.table(results["callbacks"]),
    }


def _size(quick: bool) -> tuple[dict[str, Any], Tables]:
    results = size.run()
    return results, {
        f"Size, {results['tokens']:,} tokens with their top 5, `prompt | model` streamed": size.table(results)
    }


def _ending(quick: bool) -> tuple[dict[str, Any], Tables]:
    results = ending.run(quick=quick)
    return results, {
        "The ending, by stage": ending.table(results),
        "The ending, 2,000 tokens": ending.waits_table(results),
        "Memory": ending.memory_table(results),
    }


BENCHMARKS: dict[str, Callable[[bool], tuple[dict[str, Any], Tables]]] = {
    "overhead": _overhead,
    "runs": _runs,
    "size": _size,
    "ending": _ending,
}


SCRIPTS: dict[str, tuple[str, Callable[[bool], list[str]]]] = {
    "fields": ("The findings, plain text and JSON", lambda quick: ["--rounds", "10" if quick else "50"]),
    "growth": ("Growth: answers of N and of 2N", lambda quick: ["--seconds", "0.1" if quick else "0.6"]),
}
"""Benchmarks that stand by themselves, with their titles and arguments."""


def _script(name: str, quick: bool, check: bool) -> bool:
    """Run one of them; return whether it succeeded."""
    title, arguments = SCRIPTS[name]
    print(title, flush=True)
    script = str(Path(__file__).with_name(f"{name}.py"))
    command = [sys.executable, script, *arguments(quick), *(["--check"] if check else [])]
    return subprocess.run(command, check=False).returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds, under a minute")
    parser.add_argument(
        "--only", action="append", choices=[*BENCHMARKS, *SCRIPTS], help="run this one alone; may be repeated"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown too")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    parser.add_argument("--require-peers", action="store_true", help="fail where a peer is not installed")
    options = parser.parse_args()

    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cpus": os.cpu_count()}
    markdown: list[str] = []
    targets: list[dict[str, Any]] = []
    missing: list[str] = []
    for name, benchmark in BENCHMARKS.items():
        if options.only and name not in options.only:
            continue
        start = time.perf_counter()
        results, parts = benchmark(options.quick)
        results["machine"] = machine
        (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=2) + "\n")
        for title, rows in parts.items():
            print(f"{title}\n\n{tables.as_text(rows)}")
            markdown.append(f"### {title}\n\n{tables.as_markdown(rows)}")
        print(f"({name}: {time.perf_counter() - start:.0f} s)\n")
        targets += results.get("targets", [])
        missing += [peer for peer in results.get("not_installed", []) if peer not in missing]

    for peer in missing:
        print(f"not installed: {peer}")
    print(tables.as_checks(targets), end="\n\n", flush=True)
    if options.markdown is not None:
        options.markdown.write_text("\n".join(markdown))
    failed = options.check and not all(target["met"] for target in targets)
    for name in SCRIPTS:
        if not options.only or name in options.only:
            failed |= not _script(name, options.quick, options.check)
    return 1 if failed or (options.require_peers and missing) else 0


if __name__ == "__main__":
    sys.exit(main())
