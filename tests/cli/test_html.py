"""`html` and `serve` as commands: their words, their files, their ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import langchain_logprobs
from langchain_logprobs.cli import main as cli
from tests.view.sources import stand_in
from tests.view.sources.stand_in import RECORDED, STRUCTURED, TRACES

FILE = str(RECORDED / "otlp.json.gz")
ENVIRONMENT = {"PYTHONPATH": str(Path(langchain_logprobs.__file__).parents[1]), "PATH": os.environ["PATH"]}


def data_of(page: str) -> dict[str, Any]:
    match = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert match
    found: dict[str, Any] = json.loads(match[1])
    return found


def test_a_page_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert cli.main(["html", FILE, "-o", str(page)]) == 0
    assert capsys.readouterr() == ("", "")
    text = page.read_text("utf-8")
    assert "<title>Token confidence</title>" in text
    assert {trace["id"] for trace in data_of(text)["traces"]} == set(TRACES)


def test_a_page_of_one_trace(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert cli.main(["html", FILE, "-o", str(page), "--trace", STRUCTURED[:6].upper()]) == 0
    text = page.read_text("utf-8")
    assert f"<title>Token confidence of trace {STRUCTURED[:8]}</title>" in text
    assert [trace["id"] for trace in data_of(text)["traces"]] == [STRUCTURED]


def test_from_a_backend_only_the_trace_that_is_named_is_asked_for(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    with stand_in.jaeger() as backend:
        assert cli.main(["html", backend.url, "-o", str(page), "--trace", STRUCTURED]) == 0
        assert backend.asked[-1] == f"/api/v3/traces/{STRUCTURED}"
        assert not any(path.startswith("/api/traces?") for path in backend.asked)
    assert [trace["id"] for trace in data_of(page.read_text("utf-8"))["traces"]] == [STRUCTURED]


def test_through_pipes() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "langchain_logprobs", "html", "-"],
        input=Path(FILE).read_bytes(),
        capture_output=True,
        env=ENVIRONMENT | {"PYTHONIOENCODING": "ascii"},
        check=True,
    )
    assert {trace["id"] for trace in data_of(done.stdout.decode())["traces"]} == set(TRACES)


def test_a_terminal_is_no_place_for_a_page(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert cli.main(["html", FILE]) == 1
    assert "-o page.html" in capsys.readouterr().err


def test_problems_of_html_and_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "broken").write_bytes(b"{")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, said in (
            (["html", str(tmp_path / "none"), "-o", "x"], "No such file"),
            (["html", str(tmp_path / "empty"), "-o", "x"], "holds no spans"),
            (["html", FILE, "-o", str(tmp_path / "no folder" / "x")], "cannot write"),
            (["html", FILE, "-o", "x", "--trace", "ffff"], "no trace with an id that starts with 'ffff'"),
            (["html", "ftp://x/y", "-o", "x"], "not an address that can be asked"),
            (["serve"], "name what to show"),
            (["serve", str(tmp_path / "none")], "No such file"),
            (["serve", str(tmp_path / "broken")], "delete that line"),
            (["serve", "http://grafana/explore"], "Grafana"),
            (["serve", FILE, "--port", port], f"--port {int(port) + 1}"),
            (["serve", "--port", "0", "--otlp", port], f"--otlp {int(port) + 1}"),
        ):
            assert cli.main(arguments) == 1, arguments
            assert said in capsys.readouterr().err
    assert not Path("x").exists()


@pytest.mark.parametrize("word", ["x", "-1", "65536", "1.5", "१"])
def test_ports_that_are_none(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", FILE, f"--port={word}"])
    assert ended.value.code == 2
    assert "is not a port" in capsys.readouterr().err


@contextmanager
def serving(*words: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Run the command as a person does; gives the process and the addresses that it names."""
    # Where the tests themselves run in a shell's background, Ctrl-C is ignored, and a child would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "langchain_logprobs", "serve", *words, "--port", "0"],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=ENVIRONMENT,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stderr is not None
    try:
        found: list[str] = []
        wanted = 2 if "--otlp" in words else 1
        while len(found) < wanted:
            line = process.stderr.readline()
            assert line, "it ended"
            found += re.findall(r"(?:at |ENDPOINT=)(http://127\.0\.0\.1:\d+)", line)
        yield process, found
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def get(address: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return data_of(answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return data_of(error.read().decode())


def listed(address: str) -> set[str]:
    return {trace["id"] for trace in get(address)["traces"]}


def test_ctrl_c_ends_it_cleanly() -> None:
    with serving(FILE) as (process, (address,)):
        assert listed(address) == set(TRACES)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read().strip() == ""


def test_a_file_that_grows_is_read_again(tmp_path: Path) -> None:
    documents = [json.dumps(document) for document in stand_in.recorded("otlp")]
    path = tmp_path / "live.jsonl"
    path.write_text(documents[0] + "\n", encoding="utf-8")
    with serving(str(path)) as (_, (address,)):
        assert len(listed(address)) == 1
        path.write_text("\n".join(documents), encoding="utf-8")
        assert listed(address) == set(TRACES)
        assert [trace["id"] for trace in get(f"{address}/trace/{STRUCTURED}")["traces"]] == [STRUCTURED]
        path.unlink()
        assert "No such file" in get(address)["problem"]


def test_a_backend_that_starts_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(f"http://127.0.0.1:{port}") as (_, (address,)):
        assert "could not be asked" in get(address)["problem"]
        backend = stand_in.jaeger()
        backend._server.server_close()
        backend._server = ThreadingHTTPServer(("127.0.0.1", port), backend._server.RequestHandlerClass)  # type: ignore[assignment, arg-type]
        backend._thread = threading.Thread(target=backend._server.serve_forever, args=(0.02,), daemon=True)
        with backend:
            assert listed(address) == set(TRACES)
            assert listed(f"{address}/trace/{STRUCTURED}") == {STRUCTURED}


def test_received_and_read_traces_are_shown_together() -> None:
    with serving("--otlp", "0") as (_, (address, otlp)):
        assert listed(address) == set()
        body = json.dumps(stand_in.recorded("otlp")[0]).encode()
        request = urllib.request.Request(f"{otlp}/v1/traces", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=20).close()
        (first,) = listed(address)
        assert listed(f"{address}/trace/{first}") == {first}
        assert "no trace" in get(f"{address}/trace/{'e' * 32}")["problem"]


def test_words_of_the_command() -> None:
    command = [sys.executable, "-m", "langchain_logprobs", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    for word in ("view", "html", "serve"):
        assert word in done.stdout
