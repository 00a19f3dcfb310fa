"""Do the tests notice a fault? Plants one small fault at a time in a copy of the sources and runs the tests on it.

A fault that no test notices (a survivor) is a line that nothing holds in place, or one that makes no difference: each
is worth a look. The tests of the module's own folder run first, and all unit tests for what survives them.

    python benchmarks/mutation.py [--sample N] [--seed S] [--module TEXT] [--jobs N] [--list]

Prints Markdown. It needs `os.fork`.
"""

from __future__ import annotations

import argparse
import ast
import functools
import multiprocessing
import os
import py_compile
import queue
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path("src/langchain_logprobs")
FOLDERS = ("confidence", "telemetry", "capture")

EVERYWHERE = ("repros", "telemetry", "capture", "test_handler.py", "confidence", "formats", "view")
"""The unit tests that can notice a fault in these folders. The golden spans are left out: they notice nearly any, and
say that something has changed, not that it is wrong."""

PRELOADED = (
    "pytest",
    "hypothesis",
    "pydantic",
    "langchain_core.language_models",
    "langchain_core.runnables",
    "langchain_openai",
    "langgraph.graph",
    "opentelemetry.sdk.trace",
)
"""Imported once: each run of the tests is forked from a process that has them."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
TWINS = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """One planted fault.

    Attributes:
        module: The file, from the root.
        line: Where.
        before: The line as it is, as `ast` writes it.
        after: The line with the fault.
        source: The whole module with the fault.
    """

    module: Path
    line: int
    before: str
    after: str
    source: str

    def __str__(self) -> str:
        """Name it in a line."""
        return f"`{self.module.relative_to(PACKAGE)}:{self.line}` `{self.before}` → `{self.after}`"


def mutants_of(module: Path) -> Iterator[Mutant]:
    """Yield every fault that this script knows to plant in a module."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    for statement, parent, name, index, node in _places(tree):
        before = ast.unparse(statement).splitlines()
        for other in _faults(node):
            _put(parent, name, index, other)
            shown = other if statement is node else statement
            after = ast.unparse(shown).splitlines()
            source = ast.unparse(tree)
            _put(parent, name, index, node)
            differs = next((pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]), None)
            if differs is not None:
                line = getattr(node, "lineno", statement.lineno)
                yield Mutant(module, line, differs[0].strip(), differs[1].strip(), source)


Place = tuple[ast.stmt, ast.AST, str, int | None, ast.AST]


def _places(tree: ast.Module) -> Iterator[Place]:
    """Yield each node that is run, with its statement and where it hangs: parent, field, index in a list."""
    left: list[tuple[ast.stmt | None, ast.AST]] = [(None, tree)]
    while left:
        statement, parent = left.pop()
        for name, value in ast.iter_fields(parent):
            if name in ("annotation", "returns", "decorator_list", "type_comment"):
                continue
            for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if not isinstance(node, ast.AST) or _is_idle(node):
                    continue
                inside = node if isinstance(node, ast.stmt) else statement
                left.append((inside, node))
                if inside is not None:
                    yield inside, parent, name, index, node


def _is_idle(node: ast.AST) -> bool:
    """Tell what makes no difference when it runs: words for people, checks for mypy, types."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, (ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom))


def _put(parent: ast.AST, name: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[index] = node


@functools.singledispatch
def _faults(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what can wrongly stand in a node's place."""
    yield from ()


@_faults.register
def _(node: ast.Compare) -> Iterator[ast.AST]:
    for index, kind in enumerate(node.ops):
        for other in COMPARISONS[type(kind)]:
            ops = [*node.ops[:index], other(), *node.ops[index + 1 :]]
            yield ast.Compare(node.left, ops, node.comparators)


@_faults.register
def _(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    if len(node.values) > 1:
        for left_out in range(len(node.values)):
            values = node.values[:left_out] + node.values[left_out + 1 :]
            yield values[0] if len(values) == 1 else ast.BoolOp(node.op, values)


@_faults.register
def _(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, (ast.Not, ast.USub)):
        yield node.operand


@_faults.register
def _(node: ast.BinOp) -> Iterator[ast.AST]:
    if type(node.op) in ARITHMETIC:
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)


@_faults.register
def _(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
        yield ast.Constant(node.value - 1)
    elif isinstance(node.value, float):
        yield ast.Constant(node.value * 2 or 1.0)


@_faults.register
def _(node: ast.Call) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in TWINS:
        yield ast.Call(ast.Name(TWINS[node.func.id]), node.args, node.keywords)


@_faults.register
def _(node: ast.IfExp) -> Iterator[ast.AST]:
    yield ast.IfExp(node.test, node.orelse, node.body)


@_faults.register
def _(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(ast.Constant(None))


@_faults.register(ast.If)
@_faults.register(ast.While)
def _(node: Any) -> Iterator[ast.AST]:
    if not isinstance(node.test, (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.Constant)):
        made = type(node)(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
        yield ast.copy_location(made, node)


@_faults.register(ast.Expr)
@_faults.register(ast.AugAssign)
@_faults.register(ast.Delete)
def _(node: ast.AST) -> Iterator[ast.AST]:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, (ast.Yield, ast.YieldFrom))):
        yield ast.Pass()


@_faults.register
def _(node: ast.Assign) -> Iterator[ast.AST]:
    if any(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
        yield ast.Pass()


@_faults.register
def _(node: ast.Continue) -> Iterator[ast.AST]:
    yield ast.Break()


@_faults.register
def _(node: ast.Break) -> Iterator[ast.AST]:
    yield ast.Continue()


def own_tests(module: Path) -> list[str]:
    """Return the test files of a module: its own, then the others of its folder, then the handler's."""
    folder = Path("tests") / module.relative_to(PACKAGE).parent
    files = sorted(path.relative_to(ROOT) for path in (ROOT / folder).glob("test_*.py"))
    files.sort(key=lambda path: path.name != f"test_{module.stem}.py")
    handler = [] if "confidence" in folder.parts else [Path("tests/test_handler.py")]
    return [str(path) for path in [*files, *handler]]


def run_tests(sources: str, tests: Sequence[str]) -> None:
    """Run tests on a copy of the sources, in a process that is forked for it; exit as pytest does."""
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    log = os.open(f"{sources}/log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.chdir(ROOT)
    os.environ.update(
        PYTHONPATH=sources,
        PYTHONDONTWRITEBYTECODE="1",
        LOGPROBS_PROFILE="dev",
        HYPOTHESIS_STORAGE_DIRECTORY=f"{sources}/hypothesis",
    )
    sys.dont_write_bytecode = True
    sys.path.insert(0, sources)
    import pytest

    options = ["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--hypothesis-seed=0"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what was imported before the fork
    os._exit(pytest.main([*options, *tests]))


LOCK = threading.Lock()


class Bench:
    """One copy of the sources, and the tests run on it."""

    def __init__(self, folder: str, usual: dict[frozenset[str], float]) -> None:
        """Copy the sources into a folder.

        Args:
            folder: It.
            usual: How long tests take without a fault (seconds), shared with the other benches.
        """
        self._usual = usual
        self._sources = Path(folder)
        shutil.copytree(ROOT / "src", self._sources, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        for path in self._sources.rglob("*.py"):
            py_compile.compile(str(path))
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(PRELOADED))

    def notices(self, mutant: Mutant) -> str | None:
        """Plant a fault; return how the tests noticed it, None where they did not."""
        target = self._sources / mutant.module.relative_to("src")
        original = target.read_text(encoding="utf-8")
        own = own_tests(mutant.module)
        rest = [f"tests/{name}" for name in EVERYWHERE]
        for where, tests in (("own", own), ("all", rest)):
            usual = self._seconds(tests)
            target.write_text(mutant.source, encoding="utf-8")
            py_compile.compile(str(target), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
            try:
                code = self._run(tests, timeout=5 * usual + 60)
            finally:
                target.write_text(original, encoding="utf-8")
                py_compile.compile(str(target), invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
            if code is None:
                return "time"
            if code:
                return where
        return None

    def _seconds(self, tests: Sequence[str]) -> float:
        """Return how long tests take without a fault, and see to it that they pass."""
        key = frozenset(tests)
        with LOCK:
            if key not in self._usual:
                start = time.monotonic()
                code = self._run(tests, timeout=3_600)
                if code != 0:
                    log = (self._sources / "log").read_text(encoding="utf-8", errors="replace")
                    raise RuntimeError(f"Without any fault pytest ends with {code}:\n{log[-2_000:]}")
                self._usual[key] = time.monotonic() - start
            return self._usual[key]

    def _run(self, tests: Sequence[str], timeout: float) -> int | None:
        process = self._context.Process(target=run_tests, args=(str(self._sources), list(tests)))
        process.start()
        process.join(timeout)
        if process.exitcode is None:
            assert process.pid is not None
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
            return None
        return process.exitcode


def run(mutants: Sequence[Mutant], jobs: int) -> list[tuple[Mutant, str | None]]:
    """Plant each fault; return how it was noticed, in the order of the faults."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(mutants)):
        waiting.put(number)
    found: dict[int, str | None] = {}
    usual: dict[frozenset[str], float] = {}

    def work(_: int) -> None:
        with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
            bench = Bench(folder, usual)
            while not waiting.empty():
                number = waiting.get()
                found[number] = bench.notices(mutants[number])
                state = f"noticed ({found[number]})" if found[number] else "SURVIVED"
                print(f"{len(found)} of {len(mutants)}: {state} {mutants[number]}", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, range(jobs)))
    return [(mutant, found[number]) for number, mutant in enumerate(mutants) if number in found]


def report(results: Sequence[tuple[Mutant, str | None]], of: int) -> str:
    """Return the table of what was noticed, and the list of what was not, as Markdown."""
    counts: dict[str, Counter[str]] = {}
    for mutant, how in results:
        folder = mutant.module.relative_to(PACKAGE).parts[0]
        counts.setdefault(folder, Counter())[how or "survived"] += 1
    rows = [
        "| folder | faults | noticed by its own tests | by others | by time | survived |",
        "| --- " + "| ---: " * 5 + "|",
    ]
    for folder, count in sorted(counts.items()):
        cells = [count.total(), *(count[how] for how in ("own", "all", "time", "survived"))]
        rows.append(f"| {folder} | " + " | ".join(map(str, cells)) + " |")
    survivors = [f"- {mutant}" for mutant, how in results if how is None]
    title = f"{len(results)} faults of {of} planted, {len(survivors)} survived"
    return "\n".join([f"## {title}", "", *rows, "", *survivors])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the script; return 0 whatever survives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=60, help="how many faults, 0 for all (default 60)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (default 1)")
    parser.add_argument("--module", default="", help="only modules whose path has this in it")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (default 2)")
    parser.add_argument("--list", action="store_true", help="list the faults and plant none")
    options = parser.parse_args(arguments)
    modules = sorted(path.relative_to(ROOT) for name in FOLDERS for path in (ROOT / PACKAGE / name).rglob("*.py"))
    every = [mutant for module in modules if options.module in str(module) for mutant in mutants_of(module)]
    chosen = every
    if 0 < options.sample < len(every):
        picked = sorted(random.Random(options.seed).sample(range(len(every)), options.sample))
        chosen = [every[number] for number in picked]
    if options.list:
        print("\n".join(f"- {mutant}" for mutant in chosen))
        return 0
    print(report(run(chosen, options.jobs), len(every)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
