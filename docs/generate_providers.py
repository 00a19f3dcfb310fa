"""Writes docs/providers.md from the table that drives tests/providers: `python docs/generate_providers.py`.

With `--check` it writes nothing and fails when the page is stale.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "providers.md"
sys.path.insert(0, str(ROOT))

from tests.providers.row import LAST, MISSING, RAISES, RECORDED, UNTOLD, Row  # noqa: E402
from tests.providers.table import ROWS  # noqa: E402

MARKS = {
    RECORDED: "yes",
    MISSING: "dropped",
    UNTOLD: "dropped, untold",
    RAISES: "raises",
    LAST: "last token",
    None: "",
}

INTRODUCTION = """\
# Logprobs of each integration

<!-- Written by docs/generate_providers.py from the table of tests/providers: change that, not this. -->

How to ask each LangChain integration for token logprobs, and what of them reaches LangChain's callbacks. Every cell
is a test: the integration itself, called against a local server that speaks its provider's protocol and sends logprobs
exactly when the request asks for them (`tests/providers`). `invoke` stands for `ainvoke` too, `stream` for `astream`,
and `v3` for both forms of `stream_events(version="v3")`.

| in the table | `logprobs.status` on the span | what it means |
| --- | --- | --- |
| yes | `recorded` | every token that the provider sent |
| dropped | `missing` | the provider sends logprobs, LangChain's class throws them away |
| dropped, untold | `not_requested` | the same, and LangChain does not tell callbacks that they were asked for |
| not sent | `not_requested` | the class takes the argument and does not put it into the request |
| raises | `partial` | LangChain raises a `TypeError` when it merges the chunks; the span has every token |
| last token | `partial` | only the last token's logprob reaches the callbacks |
| empty | | the class has no such path, or no way to ask |

Where the last column names an integration, `recover_dropped_logprobs("...")` brings the logprobs back on every path.

`.bind(logprobs=True).with_structured_output(...)` loses the flag on every class: set it on the constructor, or pass it
to the call.
"""

HEAD = """\
| class | how to ask | invoke | stream | v3 | wire format | recover with |
| --- | --- | --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The page's text."""
    parts = [INTRODUCTION]
    notes: list[str] = []
    for package in dict.fromkeys(row.package for row in ROWS):
        parts.append(f"\n## {package}\n\n{HEAD}")
        rows = [row for row in ROWS if row.package == package]
        parts += [f"| {' | '.join(cells(row))} |\n" for row in rows]
        notes = [f"- {name(row)}: {row.note}\n" for row in rows if row.note]
        notes += [
            f"- {name(row)} is tested with a stand-in for `{module}`, which runs the model in the same process.\n"
            for row in rows
            for module in row.stands_in
        ]
        notes += [f"- {name(row)} is tested without its async forms: {row.no_async}.\n" for row in rows if row.no_async]
        parts += ["\n", *notes] if notes else []
    return "".join(parts)


def name(row: Row) -> str:
    """The class, and what tells the row from another one of it."""
    return f"`{row.name}`" + (f" ({row.variant})" if row.variant else "")


def cells(row: Row) -> list[str]:
    """A row of the page."""
    formats = " / ".join(f"`{each}`" for each in (row.source, row.stream_source) if each)
    statuses = (row.invoke, row.stream, row.v3)
    marks = MARKS if row.sent else MARKS | {MISSING: "not sent", UNTOLD: "not sent"}
    paths = [marks[each] if row.asks else "" for each in statuses]
    return [name(row), how_to_ask(row), *paths, formats, f"`{row.recovery}`" if row.recovery else ""]


def how_to_ask(row: Row) -> str:
    """Python, as a user writes it."""
    made = f"{row.name}({spelled(row.constructor)})" if row.constructor else ""
    bound = f".bind({spelled(row.bound)})" if row.bound else ""
    return f"`{made}{bound}`" if made or bound else "there is no way"


def spelled(arguments: Any) -> str:
    """Keyword arguments in Python."""
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items()).replace("'", '"')


def main(arguments: list[str]) -> None:
    """Write the page, or check it."""
    if "--check" not in arguments:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        sys.exit("docs/providers.md is stale: run python docs/generate_providers.py")


if __name__ == "__main__":
    main(sys.argv[1:])
