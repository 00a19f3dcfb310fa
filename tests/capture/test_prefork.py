"""Gunicorn's prefork: the handler is made, and used, in the master; requests are served by children of it."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import TOKENS

pytest.importorskip("gunicorn")

APP = """
import json, os
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from langchain_core.output_parsers import StrOutputParser
from langchain_logprobs import LogprobsCallbackHandler
from tests.support import ScriptedModel

exporter, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(BatchSpanProcessor(exporter))
handler = LogprobsCallbackHandler(tracer_provider=provider)
chain, config = ScriptedModel() | StrOutputParser(), {"callbacks": [handler]}
master = os.getpid()
chain.invoke("used before the fork", config)
held = chain.stream("open while it forks", config)
next(held)
provider.force_flush()
exporter.clear()

def app(environ, start_response):
    exporter.clear()
    text = "".join(chain.stream("q", config))
    provider.force_flush()
    ended = exporter.get_finished_spans()
    spans = [[span.name, list((span.attributes or {}).get("logprobs.tokens", ()))] for span in ended]
    body = json.dumps({"child": os.getpid() != master, "text": text, "spans": spans, "open": handler.open_runs})
    start_response("200 OK", [("Content-Type", "application/json")])
    return [body.encode()]
"""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket: no port to run for."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(str(self.path))


@pytest.fixture
def server() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lp") as folder:
        where = Path(folder) / "s"
        (Path(folder) / "prefork_app.py").write_text(APP)
        command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", f"unix:{where}"]
        root = Path(__file__).parents[2]
        with subprocess.Popen(
            [*command, "--pythonpath", f"{folder},{root}", "--worker-tmp-dir", folder, "prefork_app:app"], cwd=folder
        ) as process:
            try:
                waited = time.monotonic() + 120
                while not where.exists():
                    assert process.poll() is None, "gunicorn ended"
                    assert time.monotonic() < waited
                    time.sleep(0.1)
                yield where
            finally:
                process.terminate()


def asked(where: Path) -> Any:
    connection = UnixConnection(where)
    try:
        connection.request("GET", "/")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def test_each_request_in_a_forked_worker_has_its_spans(server: Path) -> None:
    for _ in range(6):
        answer = asked(server)
        assert answer["child"]
        assert answer["text"] == "".join(TOKENS)
        assert answer["spans"] == [
            ["chat scripted-1", TOKENS],
            ["StrOutputParser", []],
            ["invoke_workflow RunnableSequence", []],
        ]
        assert answer["open"] == 0  # what was open in the master goes on there
