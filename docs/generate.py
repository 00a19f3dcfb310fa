"""Fills the generated parts of the documentation from the code: `python docs/generate.py`.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`. With `--check` nothing is written, and the exit
status says whether anything is stale.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from langchain_logprobs.settings import ENV_PREFIX, SETTINGS, meanings
from langchain_logprobs.tables import columns
from langchain_logprobs.telemetry import names

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "langchain_logprobs"
PAGES = [
    ROOT / name
    for name in ("README.md", "CONTRIBUTING.md", "docs/telemetry.md", "docs/conformance.md", "docs/tables.md")
]
CONFORMANCE = ROOT / "tests" / "conformance"
THE_WAY = ("capture", "formats", "confidence", "telemetry", "view", "patches", "cli")
"""The packages in the order in which data passes through them, then those beside; others follow by name."""
_PART = re.compile(r"(<!-- generated: ([\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def settings_table() -> str:
    """Return the Markdown table of the settings."""
    texts = meanings()
    rows = ["| setting | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for each in SETTINGS.values():
        if each.choices:
            allowed = ", ".join(f"`{word}`" for word in each.choices)
        else:
            allowed = each.described or "true, false" if each.low is None else each.allowed.partition(" from ")[2]
        rows.append(f"| `{each.name}` | `{each.default}` | {allowed} | {texts[each.name]} |")
    return "\n".join([*rows, "", f"As an environment variable each is `{ENV_PREFIX}` and its name in capitals."])


def house_map() -> str:
    """Return every package and module with the first line of its docstring, as a nested list."""
    lines: list[str] = []
    _add_to_map(lines, PACKAGE, 0)
    return "\n".join(lines)


def _add_to_map(lines: list[str], folder: Path, depth: int) -> None:
    modules = sorted(each for each in folder.glob("*.py") if each.name != "__init__.py")
    packages = sorted(each.parent for each in folder.glob("*/__init__.py"))
    packages.sort(key=lambda each: THE_WAY.index(each.name) if each.name in THE_WAY else len(THE_WAY))
    for module in modules:
        lines.append(f"{'  ' * depth}- `{module.name}`: {first_line(module)}")
    for package in packages:
        lines.append(f"{'  ' * depth}- **`{package.name}/`** {first_line(package / '__init__.py')}")
        _add_to_map(lines, package, depth + 1)


def first_line(module: Path) -> str:
    """Return the first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").partition("\n")[0]


def conventions_version() -> str:
    """Return which version of the GenAI conventions our spans are held against."""
    facts = tomllib.loads((CONFORMANCE / "conventions.toml").read_text(encoding="utf-8"))
    return (
        f"Held against the GenAI conventions of **{facts['version']}**: semantic-conventions-genai at commit "
        f"`{facts['commit'][:7]}`,\nwith the names that opentelemetry-util-genai {facts['util_genai']} has since then."
    )


def exceptions_table() -> str:
    """Return where our spans differ from the conventions on purpose."""
    listed = tomllib.loads((CONFORMANCE / "exceptions.toml").read_text(encoding="utf-8"))["exception"]
    rows = [f"| {each['finding'].replace('*', '…')} | {each['reason']} |" for each in listed]
    return "\n".join(["| finding | reason |", "| --- | --- |", *rows])


def part(name: str) -> str:
    """Return one generated part."""
    makers: dict[str, Callable[[], str]] = {
        "settings": settings_table,
        "map": house_map,
        "conventions": conventions_version,
        "exceptions": exceptions_table,
    }
    for of in columns.COLUMNS:
        makers[f"table {of}"] = lambda of=of: columns.document(of)  # type: ignore[misc]
    for group in dict.fromkeys(item.group for item in names.DOCUMENTED):
        makers[group.replace(".", " ")] = lambda group=group: names.document(group)  # type: ignore[misc]
    return makers[name]()


def render(page: str) -> str:
    """Return a page with its generated parts made anew."""
    return _PART.sub(lambda match: f"{match[1]}{part(match[2])}\n{match[3]}", page)


def main() -> int:
    """Write the pages, or check them."""
    check = "--check" in sys.argv[1:]
    stale = []
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        fresh = render(page)
        if fresh != page:
            stale.append(path.name)
            if not check:
                path.write_text(fresh, encoding="utf-8")
    if stale:
        print(f"{'stale' if check else 'written'}: {', '.join(stale)}")  # noqa: T201
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
