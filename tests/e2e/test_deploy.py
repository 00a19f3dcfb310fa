"""What is in deploy/, on the real programs: a collector (Jaeger's binary is one), Prometheus, and its promtool."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
import yaml
from langchain_core.prompts import ChatPromptTemplate
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from langchain_logprobs import LogprobsCallbackHandler
from tests.e2e.backends import JAEGER_BUILD_TIMEOUT, Jaeger, has_go, install_jaeger
from tests.e2e.processes import free_ports, get_json, serving, wait_for
from tests.support import ScriptedModel, Traced
from tests.view.gallery import CENSORED, REASONING, SHORT, said

pytestmark = pytest.mark.timeout(JAEGER_BUILD_TIMEOUT + 300)  # the first test may have to build the collector

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
REQUIRED = "LOGPROBS_DEPLOY_REQUIRED"
DECISION = 2.0  # seconds

SURE = {
    "sure prose": said("Lima", " is", " the", " capital", "."),
    "sure JSON": said('{"', "id", '": ', "142", ".", "50", "}"),
    "one word": said(("Yes", 0.93, ("No", 0.05))),
}
UNSURE = {
    "censored": CENSORED,
    "weak field, no token of it low": said('{"', "id", '": ', ("142", 0.6), ("50", 0.6), ("1", 0.6), "}"),
    "toss-up": said("It", " was", " finished", " in", (" 1935", 0.41, (" 1936", 0.38)), "."),
    "low token": SHORT,
    "unsure JSON": said('{"', "currency", '": "', ("EUR", 0.16, ("USD", 0.7)), '"}'),
    "reasons": REASONING,
}


class Collector(NamedTuple):
    """A running collector: where it takes OTLP, and where its metrics are."""

    otlp: str
    metrics: str


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        sentence = f"{name} is missing: on Debian it is in the package prometheus"
        if os.environ.get(REQUIRED):
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    return found


@pytest.fixture(scope="module")
def collector(jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """The configuration of deploy/ as it is, but for ports and times; what it keeps goes to Jaeger."""
    if not has_go():
        pytest.skip("the collector is built with Go, and there is no `go` on the PATH")
    grpc, http, prometheus = free_ports(3)
    env = {
        "OTLP_GRPC": f"127.0.0.1:{grpc}",
        "OTLP_HTTP": f"127.0.0.1:{http}",
        "PROMETHEUS": f"127.0.0.1:{prometheus}",
        "BACKEND": jaeger.http_endpoint.removesuffix("/v1/traces"),
        "DECISION_WAIT": f"{DECISION:g}s",
        "KEEP_SURE_PERCENT": "0",
    }
    url = f"http://127.0.0.1:{prometheus}/metrics"
    log = tmp_path_factory.mktemp("collector") / "collector.log"
    command = [str(install_jaeger()), f"--config=file:{DEPLOY / 'collector' / 'config.yaml'}"]
    with serving(command, ready_url=url, log=log, timeout=60, env=env):
        yield Collector(f"http://127.0.0.1:{http}", url)


def ask(entries: list[Any], *exporters: Any) -> str:
    """Run a chain whose model says this; return the trace's id."""
    traced = Traced()
    for each in exporters:
        traced.provider.add_span_processor(SimpleSpanProcessor(each))
    (ChatPromptTemplate.from_template("{q}") | ScriptedModel(entries=entries)).invoke({"q": "?"}, config=traced.config)
    traced.provider.shutdown()
    return f"{traced.call.context.trace_id:032x}"


def test_tail_sampling_keeps_exactly_the_unsure_traces(collector: Collector, jaeger: Jaeger) -> None:
    sent = {name: ask(entries, OTLPSpanExporter(f"{collector.otlp}/v1/traces")) for name, entries in SURE.items()}
    sent |= {name: ask(entries, OTLPSpanExporter(f"{collector.otlp}/v1/traces")) for name, entries in UNSURE.items()}

    def kept() -> dict[str, int]:
        found = {name: len(jaeger.read("", trace_id)) for name, trace_id in sent.items()}
        return {name: count for name, count in found.items() if count}

    wait_for(lambda: set(kept()) >= set(UNSURE) or None, timeout=60, what="the unsure traces")
    time.sleep(2 * DECISION)  # what else might come
    assert kept() == dict.fromkeys(UNSURE, 3), "whole traces, and no others"


def test_the_metrics_of_all_spans_have_the_level(collector: Collector) -> None:
    for entries in (*SURE.values(), *UNSURE.values()):
        ask(entries, OTLPSpanExporter(f"{collector.otlp}/v1/traces"))

    def levels() -> set[str] | None:
        with urllib.request.urlopen(collector.metrics, timeout=10) as answer:
            text = answer.read().decode()
        calls = [line for line in text.splitlines() if re.match(r"traces_span_metrics_calls_total\{", line)]
        found = {match[1] for line in calls if (match := re.search(r'logprobs_confidence_level="(\w+)"', line))}
        return found if found >= {"high", "low"} else None

    assert wait_for(levels, timeout=90, what="metrics of spans") <= {"high", "medium", "low"}


def test_promtool_accepts_the_rules_and_their_tests() -> None:
    promtool = _program("promtool")
    for words in (["check", "rules", RULES.name], ["test", "rules", "rules_test.yml"]):
        done = subprocess.run(
            [promtool, *words], cwd=RULES.parent, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tested() -> None:
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    tests = yaml.safe_load(RULES.with_name("rules_test.yml").read_text(encoding="utf-8"))["tests"]
    fires = {each["alertname"] for test in tests for each in test["alert_rule_test"] if each["exp_alerts"]}
    assert fires == {rule["alert"] for rule in rules if "alert" in rule}


def _queries() -> list[str]:
    board = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]


def test_each_query_of_the_dashboard_finds_what_the_handler_measures(collector: Collector, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    scraped = collector.metrics.split("/")[2]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "collector", "static_configs": [{"targets": [scraped]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [
        _program("prometheus"),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path}",
    ]
    command.append(f"--web.listen-address=127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}"

    def value(query: str) -> list[Any]:
        query = query.replace("$model", ".*").replace("$__rate_interval", "1m")
        found: list[Any] = get_json(f"{url}/api/v1/query?{urlencode({'query': query})}")["data"]["result"]
        return [each for each in found if each["value"][1] != "NaN"]

    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(f"{collector.otlp}/v1/metrics"), export_interval_millis=500
    )
    meters = MeterProvider(metric_readers=[reader])
    handler = LogprobsCallbackHandler(meter_provider=meters)
    without = ScriptedModel(entries=[])  # asked for logprobs, and sent none
    with serving(command, ready_url=f"{url}/-/ready", log=tmp_path / "prometheus.log", timeout=60):
        asked = [*_queries(), "gen_ai_request_model:logprobs_generation_confidence:median15m"]
        asked.append('logprobs_generations_total{logprobs_confidence_level="low"}')
        deadline = time.monotonic() + 60
        left = asked
        while left and time.monotonic() < deadline:
            for entries in (SHORT, CENSORED, *SURE.values()):
                ScriptedModel(entries=entries).invoke("?", config={"callbacks": [handler]})
            without.invoke("?", config={"callbacks": [handler]})
            time.sleep(1)
            left = [query for query in left if not value(query)]
        meters.shutdown()
    assert left == []
