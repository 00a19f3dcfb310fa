"""The same traces, read back from a file, Jaeger, Phoenix and Zipkin, give the same page, value by value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_logprobs.view.model import SpanData, read_traces
from langchain_logprobs.view.page.data import page_data
from langchain_logprobs.view.sources.problems import SourceError
from langchain_logprobs.view.sources.read import read_source
from tests.e2e import zipkin as zipkin_server
from tests.e2e.backends import INSTALL_TIMEOUT, JAEGER_BUILD_TIMEOUT, Jaeger, Phoenix, exporter
from tests.e2e.processes import wait_for
from tests.view.gallery import gallery
from tests.view.sources.test_same_data import differences, lower_names

pytestmark = pytest.mark.timeout(JAEGER_BUILD_TIMEOUT + INSTALL_TIMEOUT + zipkin_server.INSTALL_TIMEOUT)

ARRIVAL_TIMEOUT = 60.0


@pytest.fixture(scope="module")
def zipkin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not zipkin_server.can_run():
        pytest.skip("Zipkin needs `java`, and `mvn` to fetch it")
    pytest.importorskip("opentelemetry.exporter.zipkin.json")
    with zipkin_server.running_zipkin(tmp_path_factory.mktemp("zipkin")) as address:
        yield address


Pages = dict[str, Any]


def pages(spans: list[SpanData]) -> Pages:
    return {trace["id"]: trace for trace in page_data(read_traces(spans))["traces"]}


def compare(expected: Pages, addresses: Callable[[str], list[str]]) -> None:
    for trace_id, page in expected.items():
        for address in addresses(trace_id):

            def read(address: str = address, size: int = len(page["spans"])) -> Pages | None:
                try:
                    spans = read_source(address)
                except SourceError:
                    return None
                return pages(spans) if len(spans) >= size else None

            found = wait_for(read, timeout=ARRIVAL_TIMEOUT, what=f"the trace at {address}")
            assert list(differences({trace_id: page}, found)) == [], address


def test_a_file(tmp_path: Path) -> None:
    file_exporter = pytest.importorskip("opentelemetry.exporter.otlp.json.file")
    path = tmp_path / "traces.jsonl"
    sent = gallery([file_exporter.FileSpanExporter(path)])
    expected = pages([span for spans in sent.values() for span in spans])
    assert list(differences(expected, pages(read_source(str(path))))) == []


def test_jaeger(jaeger: Jaeger) -> None:
    sent = gallery([exporter(jaeger, "http")])
    expected = pages([span for spans in sent.values() for span in spans])
    url = jaeger.query_url
    compare(expected, lambda it: [f"{url}/trace/{it}", f"{url}/api/traces/{it}", f"{url}/api/v3/traces/{it}"])
    assert set(expected) <= set(pages(read_source(url)))


def test_phoenix(phoenix: Phoenix) -> None:
    sent = gallery([exporter(phoenix, "http")])
    expected = pages([span for spans in sent.values() for span in spans])
    compare(expected, lambda it: [f"{phoenix.url}/projects/UHJvamVjdDox/traces/{it}"])
    compare(expected, lambda it: [f"{phoenix.url}/redirects/traces/{it}"])
    assert set(expected) <= set(pages(read_source(phoenix.url)))


def test_zipkin(zipkin: str) -> None:
    from opentelemetry.exporter.zipkin.json import ZipkinExporter

    sent = gallery([ZipkinExporter(endpoint=f"{zipkin}/api/v2/spans")])
    expected = lower_names(pages([span for spans in sent.values() for span in spans]))
    compare(expected, lambda it: [f"{zipkin}/zipkin/traces/{it}", f"{zipkin}/api/v2/trace/{it}"])
    assert set(expected) <= set(pages(read_source(zipkin)))
