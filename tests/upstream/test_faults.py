"""Each fault of others that we work around is still there: the day one is not, its workaround can go."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from opentelemetry.exporter.otlp.proto.common import _internal

from tests.providers.row import RECORDED, Row
from tests.providers.table import ROWS
from tests.upstream.scripts import FOLDER, script

SCRIPTS = sorted((FOLDER / "langchain").glob("*.py"))
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
NEEDS = {"ollama_tokens": "langchain_ollama", "openai_responses": "langchain_openai"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_fault_is_still_there(path: Path) -> None:
    if find_spec(NEEDS.get(path.stem, "langchain_core")) is None:
        pytest.skip("not in this environment")
    if path.stem == "streaming_v3" and not hasattr(BaseChatModel, "stream_events"):
        pytest.skip("this langchain-core has no streaming v3 yet")
    found = script(f"langchain/{path.name}").fault()
    assert found, f"mended in the installed version: see what docs/upstream/langchain/{path.name} says under Here"


def test_the_encoder_still_looks_at_each_item(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, encode = [], _internal._encode_value

    def counting(value: Any, *arguments: Any, **keywords: Any) -> Any:
        calls.append(value)
        return encode(value, *arguments, **keywords)

    monkeypatch.setattr(_internal, "_encode_value", counting)
    _internal._encode_value([1.0] * 100)
    assert len(calls) == 101, "mended in the installed version: docs/upstream/otlp-encoder can go"


def test_the_page_names_every_script_and_nothing_else() -> None:
    named = {target for target in re.findall(r"\]\(([^)]+)\)", PAGE) if not target.startswith("..")}
    assert named == {f"langchain/{path.name}" for path in SCRIPTS} | {"otlp-encoder/README.md"}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_page_names_every_class_that_loses_some(row: Row) -> None:
    whole = {row.invoke, row.stream, row.v3} <= {RECORDED, None} and row.sent
    assert whole or not row.asks or f"`{row.name}`" in PAGE


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_is_a_whole_report(path: Path) -> None:
    told = path.read_text(encoding="utf-8").split('"""')[1]
    assert [word for word in ("For `", "Symptom:", "Cause:", "Fix, in", "Here:") if word not in told] == []
