"""Putting the page together: one HTML file with its script, style and data in it, and a policy that allows only those.

Nothing of a trace becomes markup: it is in one block of JSON, and the script writes it as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

# In this order: what stands further down uses what stands above.
_SCRIPTS = ("format.js", "heat.js", "inspector.js", "call.js", "trace.js", "export.js", "page.js")


class _Assets(NamedTuple):
    """The page's files, which are the same for every trace."""

    template: str
    style: str
    script: str
    policy: str


def page_html(data: dict[str, Any], title: str) -> str:
    """Return the page of some traces.

    Args:
        data: From `page_data`, or `list_data`.
        title: What the browser's tab says.

    Returns:
        A whole HTML document, which asks nobody for anything and works from a file.
    """
    assets = _assets()
    parts = {
        "title": html.escape(title),
        "policy": assets.policy,
        "style": assets.style,
        "script": assets.script,
        "data": _embedded(data),
    }
    page = []
    for piece in assets.template.split("{{"):
        name, closed, rest = piece.partition("}}")
        page.append(parts[name] + rest if closed else piece)
    return "".join(page)


def policy() -> str:
    """Return the page's content security policy: its own script and style, and nothing from anywhere."""
    return _assets().policy


def _embedded(data: dict[str, Any]) -> str:
    """Return data as JSON that cannot end the block it stands in, nor begin a comment there."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@cache
def _assets() -> _Assets:
    script = '"use strict";\n' + "".join(_file(name) for name in _SCRIPTS)
    style = _file("page.css")
    if "</" in script or "</" in style:
        raise ValueError("the page's own script and style must not hold an end tag: it would end them")
    allowed = [
        "default-src 'none'",
        f"script-src {_hash(script)}",
        f"style-src {_hash(style)}",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
    return _Assets(_file("page.html"), style, script, "; ".join(allowed))


def _file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
