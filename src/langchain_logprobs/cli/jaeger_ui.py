"""`langchain-logprobs jaeger-ui`: the configuration of Jaeger's UI that puts the page one click away."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any
from urllib.parse import urlsplit

from langchain_logprobs.cli.serve import PORT
from langchain_logprobs.telemetry import names
from langchain_logprobs.view.page.server import HOST

# Jaeger sorts a span's attributes by name; what begins so it puts before the others, in this order.
_FIRST = (
    names.ANSWER,
    "logprobs.confidence.",
    "logprobs.min.",
    "logprobs.low_confidence.",
    names.FIELD_MIN_CONFIDENCE,
    names.FIELD_MIN_PATH,
    names.STATUS,
)
# The rows of that table that become links.
_LINKED = (names.ANSWER, names.LEVEL, names.MIN_TOKEN, names.FIELD_MIN_PATH)


def add_to(commands: Any) -> None:
    """Add the command's words to the parser's commands."""
    jaeger_ui = commands.add_parser(
        "jaeger-ui",
        help="print a configuration of Jaeger's UI with links to the page",
        description="Print a configuration of Jaeger's UI: the page of a trace or a span is one click away, and the "
        "confidence stands on top of a span's attributes. Jaeger 2 takes it as jaeger_query.ui.config_file, Jaeger 1 "
        "as --query.ui-config.",
        epilog="The links work while `langchain-logprobs serve` runs, e.g. on http://localhost:16686.",
    )
    jaeger_ui.add_argument(
        "--page",
        type=_address,
        default=f"http://{HOST}:{PORT}",
        metavar="URL",
        help="where `serve` shows its list of traces (default: %(default)s)",
    )
    jaeger_ui.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print it."""
    json.dump(configuration(options.page), sys.stdout, indent=2)
    sys.stdout.write("\n")


def configuration(page: str) -> dict[str, Any]:
    """Return what Jaeger's UI reads.

    Args:
        page: Where `serve` shows its list of traces.
    """
    page = page.rstrip("/")
    return {
        "linkPatterns": [
            {"type": "traces", "url": f"{page}/trace/#{{traceID}}", "text": "Token confidence of this trace"},
            *(
                {
                    "type": "tags",
                    "key": key,
                    "url": f"{page}/trace/#{{trace.traceID}}#span-#{{spanID}}",
                    "text": "Token confidence of this span",
                }
                for key in _LINKED
            ),
        ],
        "topTagPrefixes": list(_FIRST),
    }


def _address(word: str) -> str:
    try:
        parts = urlsplit(word)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
    except ValueError:
        known = False
    if not known or any(letter.isspace() or letter in "{}" for letter in word):
        raise argparse.ArgumentTypeError(f"{word!r} is not the address of a page, such as http://{HOST}:{PORT}")
    return word
