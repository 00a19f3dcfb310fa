"""The documentation's site: every page is on it, once, and every public name is on its page of names."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

import langchain_logprobs

DOCS = Path(__file__).resolve().parent.parent / "docs"


def conf(folder: Path = DOCS) -> Any:
    """The site's configuration, for the pages of a folder."""
    spec = importlib.util.spec_from_file_location("conf", DOCS / "conf.py")
    assert spec
    assert spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.DOCS = folder
    return module


def test_every_page_is_in_the_index_once() -> None:
    listed = [page for pages in conf().sections().values() for page in pages]
    on_disk = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")} - {"index"}
    assert sorted(listed) == sorted(on_disk)
    source = [(DOCS / "index.md").read_text(encoding="utf-8")]
    conf()._write_index(None, "index", source)
    assert "<!-- pages -->" not in source[0]
    assert all(f"\n{page}\n" in source[0] for page in on_disk)


def test_a_page_that_nobody_listed_is_found(tmp_path: Path) -> None:
    for name in ("index", "start", "own", "upstream/b", "upstream/index", "guides/jaeger", "zero_code"):
        page = tmp_path / f"{name}.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text("# Page\n", encoding="utf-8")
    assert conf(tmp_path).sections() == {
        "Begin": ["start", "zero_code"],
        "Guides": ["guides/jaeger"],
        "More": ["own"],
        "Upstream": ["upstream/index", "upstream/b"],
    }


@pytest.mark.parametrize(
    ("page", "text", "becomes"),
    [
        ("a", "[x](../benchmarks/size.py)", "[x](SOURCE/blob/main/benchmarks/size.py)"),
        ("a", "[x](../README.md#use-it) [y](b.md)", "[x](SOURCE/blob/main/README.md#use-it) [y](b.md)"),
        ("guides/a", "[x](../../README.md)", "[x](SOURCE/blob/main/README.md)"),
        ("guides/a", "[x](../telemetry.md#size)", "[x](../telemetry.md#size)"),
        ("a", "[x](https://example.com/../y)", "[x](https://example.com/../y)"),
    ],
)
def test_links_out_of_the_folder_lead_to_the_repository(page: str, text: str, becomes: str) -> None:
    module = conf()
    source = [text]
    module._write_index(None, page, source)
    assert source == [becomes.replace("SOURCE", module.SOURCE)]


def test_every_public_name_has_its_place() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^\.\. auto(?:class|function):: (\w+)$", page, re.MULTILINE)
    assert sorted([*named, "__version__"]) == langchain_logprobs.__all__
    assert "`__version__`" in page
