"""`jaeger-ui` as a command, and the links on spans for every other backend."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate

from langchain_logprobs import Settings
from langchain_logprobs.cli import main as cli
from langchain_logprobs.telemetry import names
from tests.support import ENTRIES, ScriptedModel, Traced


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert cli.main(["jaeger-ui", *words]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_configuration_links_to_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys)
    of_trace, *of_spans = found["linkPatterns"]
    assert (of_trace["type"], of_trace["url"]) == ("traces", "http://127.0.0.1:8899/trace/#{traceID}")
    assert {each["key"] for each in of_spans} <= {name.name for name in names.DOCUMENTED}
    for each in of_spans:
        assert each["type"] == "tags"
        assert each["url"] == "http://127.0.0.1:8899/trace/#{trace.traceID}#span-#{spanID}"
    documented = [name.name for name in names.DOCUMENTED]
    for prefix in found["topTagPrefixes"]:
        assert any(name.startswith(prefix) for name in documented), prefix


@pytest.mark.parametrize("page", ["https://traces.example/confidence", "https://traces.example/confidence/"])
def test_the_page_may_be_elsewhere(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for each in printed(capsys, "--page", page)["linkPatterns"]:
        assert each["url"].startswith("https://traces.example/confidence/trace/#{")


@pytest.mark.parametrize(
    "page",
    ["127.0.0.1:8899", "javascript:alert(1)", "http://", "http://[", "http://a/#{x}", "http://a b", "http://a?b"],
)
def test_what_is_no_page_is_refused(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["jaeger-ui", "--page", page])
    assert "is not the address of a page" in capsys.readouterr().err


def test_spans_link_to_their_page() -> None:
    traced = Traced(
        Settings(page_url="https://h.example:1/t/{trace_id}?s={span_id}#span-{span_id}", capture_text=False)
    )
    chain = ChatPromptTemplate.from_template("{question}") | ScriptedModel(entries=ENTRIES)
    chain.invoke({"question": "?"}, config=traced.config)
    linked = {span.name: span for span in traced.spans if "logprobs.page" in span.attributes}
    assert set(linked) == {"invoke_workflow RunnableSequence", traced.call.name}
    for span in linked.values():
        trace_id, span_id = f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"
        assert span.attributes["logprobs.page"] == f"https://h.example:1/t/{trace_id}?s={span_id}#span-{span_id}"


def test_by_default_there_is_no_link() -> None:
    traced = Traced()
    ScriptedModel(entries=ENTRIES).invoke("?", config=traced.config)
    assert not [name for name in traced.call.attributes if re.search("page", name)]
