"""The fragments of changelog.d: each has the form that its README asks for, and a release takes all of them in."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "changelog.d"
FRAGMENTS = sorted(path for path in FOLDER.iterdir() if path.name not in ("README.md", "template.md.jinja"))
ITEM = re.compile(r"^- (.*(?:\n  .*)*)", re.MULTILINE)


def faults(name: str, text: str) -> list[str]:
    """What is wrong with the form of a fragment."""
    lines = text.splitlines()
    said = text.replace("`", "").strip()
    sentences = len(re.findall(r"[.!?](?=\s+[A-Z]|$)", said))
    found = {
        "name": not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*\.(added|changed|fixed)\.md", name),
        "empty": not said,
        "end": not re.search(r"[.!?)]$", said),
        "sentences": sentences > 3,
        "heading or list": bool(re.match(r"#|[-*+] |\d+\. ", text)),
        "paragraphs": "\n\n" in text.strip(),
        "white space": text != "\n".join(line.strip() for line in lines) + "\n",
    }
    return [fault for fault, is_there in found.items() if is_there]


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_has_its_form(path: Path) -> None:
    assert faults(path.name, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("some-thing.added.md", "`doctor` says what is wrong. It takes no argument.\n", []),
        ("a.fixed.md", "Streams of Gemini, e.g. 2.5, are\nread (docs/providers.md).\n", []),
        ("some-thing.md", "It is there.\n", ["name"]),
        ("Some_Thing.added.md", "It is there.\n", ["name"]),
        ("a.removed.md", "It is gone.\n", ["name"]),
        ("a.added.rst", "It is there.\n", ["name"]),
        ("a.added.md", "", ["empty", "end", "white space"]),
        ("a.added.md", "It is there\n", ["end"]),
        ("a.added.md", "One. Two. Three. Four.\n", ["sentences"]),
        ("a.added.md", "### Added\n", ["end", "heading or list"]),
        ("a.added.md", "- It is there.\n", ["heading or list"]),
        ("a.added.md", "It is there.\n\nSo it is.\n", ["paragraphs"]),
        ("a.added.md", f"{'long ' * 24}line.\n", []),
        ("a.added.md", "It is there.", ["white space"]),
        ("a.added.md", "It is \nthere.\n", ["white space"]),
    ],
)
def test_what_is_wrong_with_a_fragment_is_found(name: str, text: str, found: list[str]) -> None:
    assert faults(name, text) == found


def release(folder: Path, *options: str) -> str:
    """Run towncrier on a copy of the project; return what it says."""
    command = [sys.executable, "-m", "towncrier", "build", "--dir", str(folder), "--date", "2030-01-31", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What a release needs of the project, outside of any repository."""
    pytest.importorskip("towncrier")
    for name in ("pyproject.toml", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(FOLDER, tmp_path / "changelog.d")
    return tmp_path


def test_a_release_takes_every_fragment_in(project: Path) -> None:
    before = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    draft = release(project, "--version", "Unreleased", "--draft")
    assert (project / "CHANGELOG.md").read_text(encoding="utf-8") == before
    items = {" ".join(item.split()) for item in ITEM.findall(draft)}
    expected = {" ".join(path.read_text(encoding="utf-8").split()) for path in FRAGMENTS}
    assert items == expected
    assert max(map(len, draft.splitlines())) <= 120


def test_the_newest_release_stands_on_top_in_the_changelogs_style(project: Path) -> None:
    for path in FRAGMENTS:
        (project / "changelog.d" / path.name).unlink()
    texts = {"b.fixed.md": "A fault\nis gone.", "a.added.md": "It is there.", "c.added.md": "That too."}
    for name, text in texts.items():
        (project / "changelog.d" / name).write_text(f"{text}\n", encoding="utf-8")
    head, mark, tail = (project / "CHANGELOG.md").read_text(encoding="utf-8").partition(" below this line. -->\n")
    assert mark
    release(project, "--version", "9.1.0", "--keep")
    text = """
## 9.1.0 (2030-01-31)

### Added

- It is there.
- That too.

### Fixed

- A fault is gone.
"""
    assert (project / "CHANGELOG.md").read_text(encoding="utf-8") == f"{head}{mark}{text}{tail}"
