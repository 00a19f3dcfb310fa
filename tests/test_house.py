"""The house that CONTRIBUTING.md describes: what stands where, how large it is, and who may import what."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "langchain_logprobs"
MODULES = sorted(PACKAGE.rglob("*.py"))
TREES = {module: ast.parse(module.read_text(encoding="utf-8")) for module in MODULES}
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]

MOST_FILES_AT_THE_TOP = 8
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60


def test_few_files_stand_directly_in_the_package() -> None:
    files = [each.name for each in PACKAGE.iterdir() if each.is_file()]
    assert len(files) <= MOST_FILES_AT_THE_TOP, files


def test_no_two_modules_begin_with_the_same_sentence() -> None:
    sentences = Counter((ast.get_docstring(tree) or "").partition("\n")[0] for tree in TREES.values())
    assert "" not in sentences
    assert [sentence for sentence, count in sentences.items() if count > 1] == []


def test_every_module_stands_on_the_map_once() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    page = page.partition("<!-- generated: map -->")[2].partition("<!-- end -->")[0]
    folders: list[str] = []
    found = []
    for line in page.splitlines():
        depth, mark, rest = line.partition("- ")
        if not mark or depth.strip() or "`" not in rest:
            continue
        name = rest.split("`")[1]
        folders = folders[: len(depth) // 2]
        if name.endswith("/"):
            folders.append(name.rstrip("/"))
            name = "__init__.py"
        if name.endswith(".py"):
            found.append("/".join([*folders, name]))
    expected = [module.relative_to(PACKAGE).as_posix() for module in MODULES]
    assert sorted(found) == sorted(set(expected) - {"__init__.py"}), "run `make docs`"


@pytest.mark.parametrize("module", MODULES, ids=lambda each: each.relative_to(PACKAGE).as_posix())
def test_nothing_is_too_long(module: Path) -> None:
    assert module.read_text(encoding="utf-8").count("\n") <= MOST_LINES
    for node in ast.walk(TREES[module]):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MOST_LINES_OF_A_FUNCTION, f"{node.name}: {lines} lines"


# Who imports what.

BREACHES = {
    "layers": [
        ("formats/read.py", "from langchain_logprobs.confidence.measures import measure"),
        ("confidence/report.py", "from langchain_logprobs.telemetry import names"),
        ("telemetry/spans.py", "from langchain_logprobs.capture.runs import Run"),
        ("capture/runs.py", "from langchain_logprobs.view.model import TraceView"),
        ("view/model.py", "from langchain_logprobs.tables.make import table"),
    ],
    "pure": [
        ("confidence/verdict.py", "import time"),
        ("confidence/fields/assign.py", "from langchain_core.messages import AIMessage"),
        ("formats/openai_chat.py", "from opentelemetry import trace"),
        ("formats/tokens.py", "import logging"),
    ],
    "opentelemetry": [
        ("handler.py", "from opentelemetry import context"),
        ("capture/lifecycle.py", "from opentelemetry.trace import Status"),
        ("view/model.py", "from opentelemetry.sdk.trace import ReadableSpan"),
        ("tables/make.py", "from opentelemetry.sdk.trace import ReadableSpan"),
    ],
    "langchain": [
        ("telemetry/genai.py", "from langchain_core.outputs import LLMResult"),
        ("settings.py", "import langchain"),
        ("view/answer.py", "import langchain_core"),
        ("tables/rows.py", "from langchain_core.messages import AIMessage"),
    ],
}
"""By the id of a contract in pyproject.toml: imports that it must refuse, each added to a module."""


needs_import_linter = pytest.mark.skipif(
    find_spec("importlinter") is None,
    reason="import-linter is in the group lint, which `make test` has",
)


def lint_imports(source: Path, contract: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a copy of the package, with the contracts of pyproject.toml."""
    run = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    chosen = ["--contract", contract] if contract else []
    command = [sys.executable, "-c", run, "--config", str(ROOT / "pyproject.toml"), "--no-cache", *chosen]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("importlinter")
    source = tmp_path_factory.mktemp("src")
    shutil.copytree(PACKAGE, source / "langchain_logprobs", ignore=shutil.ignore_patterns("__pycache__"))
    return source


@needs_import_linter
def test_the_import_rules_hold(copied: Path) -> None:
    done = lint_imports(copied)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_import_rule_is_broken_below() -> None:
    assert {contract["id"] for contract in CONTRACTS} == set(BREACHES)


@needs_import_linter
@pytest.mark.parametrize(
    ("contract", "module", "line"),
    [(contract, *breach) for contract, breaches in BREACHES.items() for breach in breaches],
)
def test_an_import_against_the_rules_is_found(copied: Path, contract: str, module: str, line: str) -> None:
    changed = copied / "langchain_logprobs" / module
    before = changed.read_text(encoding="utf-8")
    changed.write_text(f"{before}\n{line}\n", encoding="utf-8")
    try:
        done = lint_imports(copied, contract)
    finally:
        changed.write_text(before, encoding="utf-8")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN" in done.stdout
    assert f"langchain_logprobs.{module.removesuffix('.py').replace('/', '.')} ->" in done.stdout


# Who touches other packages' attributes.


def touched(tree: ast.Module) -> Iterator[str]:
    """Yield what a module sets or deletes on things that it imports from elsewhere."""
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {(each.asname or each.name).partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("langchain_logprobs"):
            imported |= {each.asname or each.name for each in node.names}
    for node in ast.walk(tree):
        target: ast.expr | None = None
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
            target = node
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("setattr", "delattr"):
            target = node.args[0]
        if target is not None and _root(target) in imported:
            yield ast.unparse(node)


def _root(node: ast.expr) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


@pytest.mark.parametrize("module", MODULES, ids=lambda each: each.relative_to(PACKAGE).as_posix())
def test_only_patches_touch_what_other_packages_own(module: Path) -> None:
    found = list(touched(TREES[module]))
    if module.relative_to(PACKAGE).parts[0] != "patches":
        assert found == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import langchain_openai\nlangchain_openai.ChatOpenAI.invoke = None", ["langchain_openai.ChatOpenAI.invoke"]),
        ("import a.b as c\nc.d: int = 1", ["c.d"]),
        ("from a import B\nB.c += 1", ["B.c"]),
        ("from a import B\ndel B.c", ["B.c"]),
        ("def f():\n    from a import b\n    setattr(b.c, 'd', 1)", ["setattr(b.c, 'd', 1)"]),
        ("from a import b\nx, b.c = 1, 2", ["b.c"]),
        ("from a import b\nb.c['d'] = 1", ["b.c['d']"]),
        ("class A:\n    def f(self):\n        self.b = 1", []),
        ("from langchain_logprobs.settings import Settings\nSettings.x = 1", []),
    ],
)
def test_what_counts_as_touching(code: str, found: list[str]) -> None:
    assert [*touched(ast.parse(code))] == found
