"""`langchain-logprobs annotate`: the confidence of traces as scores, in the columns of a tool that has them."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from langchain_logprobs.cli.problems import CannotShowError
from langchain_logprobs.cli.traces import SOURCE_HELP, spans_of
from langchain_logprobs.view.annotations.marks import marks_of
from langchain_logprobs.view.annotations.problems import AnnotateError
from langchain_logprobs.view.model import read_traces

TOOLS = ("phoenix", "mlflow", "langsmith", "langfuse")


def add_to(commands: Any) -> None:
    """Add the command's words to the parser's commands."""
    annotate = commands.add_parser(
        "annotate",
        help="write the confidence of traces into Phoenix, MLflow, LangSmith or Langfuse, as scores",
        description="Write the confidence and the weakest place of traces as scores, which these tools show as columns "
        "that can be sorted. Again, it brings them up to date: nothing is there twice.",
    )
    annotate.add_argument("source", metavar="SOURCE", help=SOURCE_HELP)
    annotate.add_argument("--to", required=True, choices=TOOLS, help="the tool; it needs the extra of that name")
    annotate.add_argument("--url", help="its address; by default what its client finds in the environment")
    annotate.add_argument("--project", help="the project of the traces, which LangSmith asks for")
    annotate.add_argument("--trace", metavar="ID", help="only the trace with this id, or with an id that starts so")
    annotate.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Write the scores.

    Raises:
        CannotShowError: There are none to write, or the tool does not take them.
    """
    tool = import_module(f"langchain_logprobs.view.annotations.{options.to}")
    _check_extra(options.to, tool.PACKAGE)
    url = options.url
    if url is None and options.to == "phoenix" and "://" in options.source:  # the spans are there already
        parts = urlsplit(options.source)
        url = f"{parts.scheme}://{parts.netloc}"
    traces = read_traces(spans_of(options.source, options.trace))
    marks = [mark for trace in traces for mark in marks_of(trace)]
    if not marks:
        raise CannotShowError(
            f"{options.source} holds no model call with logprobs, so there is no confidence to write."
        )
    try:
        count = tool.write(marks, url, options.project)
    except AnnotateError as error:
        raise CannotShowError(str(error)) from error
    except Exception as error:  # each client has errors of its own
        said = f"{type(error).__name__}: {error}"
        raise CannotShowError(
            f"{options.to} did not take the scores ({said:.500}).\n"
            "Are the address and the keys right, and has it got these traces?"
        ) from error
    whole = len({mark.trace_id for mark in marks})
    sys.stderr.write(f"langchain-logprobs: {count} scores of {whole} traces are in {options.to}\n")


def _check_extra(name: str, package: str) -> None:
    try:
        found = importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:  # of a package within another
        found = False
    if not found:
        raise CannotShowError(
            f"--to {name} needs the package {package.split('.')[0]}, which is not installed.\n"
            f"Install it with:  pip install 'langchain-logprobs[{name}]'"
        )
