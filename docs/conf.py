"""How Sphinx makes the site out of this folder: `make site`.

Every page here and below is on the site. A page that SECTIONS does not name stands under its folder's heading, or under
"More": nothing has to be written here for a new page to be found.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from langchain_logprobs import __version__

DOCS = Path(__file__).resolve().parent
PROJECT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCE = PROJECT["urls"]["Source"]

SECTIONS: dict[str, tuple[str, ...]] = {
    "Begin": ("start", "concepts", "doctor", "providers", "recovery", "zero_code"),
    "Use": ("structured_output", "own_model", "agents", "recipes", "tables", "page", "joining"),
    "Guides": ("guides/*", "jaeger"),
    "Operate": ("operations", "sending", "deploy", "sampling", "dashboard", "alerts", "annotate"),
    "Reference": ("api", "telemetry", "confidence", "conformance"),
    "Compare and rely": ("comparison", "stability"),
    "Decisions": ("decisions/*",),
}
"""The headings of the index, and the pages under each; one that is not there is passed over."""

project = PROJECT["name"]
author = PROJECT["authors"][0]["name"]
copyright = author
release = version = __version__.partition("+")[0]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["images/*.py"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_default_options = {"exclude-members": "count, index"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"
smartquotes = False

html_theme = "furo"
html_title = f"{project} {release}"
html_theme_options = {"source_repository": f"{SOURCE}/", "source_branch": "main", "source_directory": "docs/"}
html_copy_source = False

_PLACE = "<!-- pages -->"


def pages() -> list[str]:
    """Every page but the index, by its name, in the order of the names."""
    found = (path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md"))
    return sorted(name for name in found if name != "index" and not name.startswith("_"))


def sections() -> dict[str, list[str]]:
    """The pages under each heading; each page is under one."""
    left = pages()
    found: dict[str, list[str]] = {}
    for heading, names in SECTIONS.items():
        for name in names:
            fitting = [page for page in left if page == name or (name.endswith("*") and page.startswith(name[:-1]))]
            found.setdefault(heading, []).extend(sorted(fitting, key=_index_first))
            left = [page for page in left if page not in fitting]
    for page in sorted(left, key=_index_first):
        folder, below, _ = page.partition("/")
        found.setdefault(folder.replace("_", " ").capitalize() if below else "More", []).append(page)
    return {heading: names for heading, names in found.items() if names}


def _index_first(page: str) -> tuple[str, bool, str]:
    folder, _, name = page.rpartition("/")
    return folder, name not in ("index", "README"), name


def _write_index(_app: object, page: str, source: list[str]) -> None:
    """Put the pages into the index, and lead links out of this folder to the repository."""
    up = "../" * page.count("/")
    source[0] = re.sub(rf"\]\({up}\.\./(?!{up}\.\./)([^)\s]+)\)", rf"]({SOURCE}/blob/main/\1)", source[0])
    if page == "index":
        parts = (
            "\n".join(["```{toctree}", f":caption: {heading}", ":maxdepth: 1", "", *names, "```"])
            for heading, names in sections().items()
        )
        source[0] = source[0].replace(_PLACE, "\n\n".join(parts))


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("source-read", _write_index)
