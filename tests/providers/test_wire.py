"""The local server itself: what the provider tests rely on."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request

import pytest

from tests.providers.wire import Body, WireServer, json_body, ndjson, sse


def post(url: str, value: object) -> bytes:
    request = urllib.request.Request(url, json.dumps(value).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as response:
        return bytes(response.read())


def test_answers_in_turn_and_the_last_one_stays() -> None:
    with WireServer() as wire:
        wire.answer("/a", json_body({"n": 1}), json_body({"n": 2}))
        assert [json.loads(post(f"{wire.url}/a", {}))["n"] for _ in range(3)] == [1, 2, 2]


def test_requests_are_kept() -> None:
    with WireServer() as wire:
        wire.answer("/models/*:generate", json_body({}))
        post(f"{wire.url}/models/m-1:generate?alt=sse", {"top": 3})
    (request,) = wire.requests
    assert (request.method, request.path, request.query) == ("POST", "/models/m-1:generate", "alt=sse")
    assert request.json == {"top": 3}
    assert request.headers["content-type"] == "application/json"


def test_an_answer_can_depend_on_the_request_and_the_newest_script_counts() -> None:
    with WireServer() as wire:
        wire.answer("/a", json_body("old"))
        wire.answer("/a", lambda request: sse([{"type": "x"}], named=True) if request.json else json_body("empty"))
        assert post(f"{wire.url}/a", {"stream": True}) == b'event: x\ndata: {"type": "x"}\n\ndata: [DONE]\n\n'


def test_ndjson_is_one_document_a_line() -> None:
    with WireServer() as wire:
        wire.answer("/a", ndjson([{"n": 1}, {"n": 2}]))
        assert post(f"{wire.url}/a", {}) == b'{"n": 1}\n{"n": 2}\n'


def test_a_cut_answer_breaks_the_connection() -> None:
    with WireServer() as wire:
        wire.answer("/a", Body((b"half",), cut=True))
        with pytest.raises(http.client.IncompleteRead) as caught:
            post(f"{wire.url}/a", {})
    assert caught.value.partial == b"half"


def test_an_unscripted_path_says_so() -> None:
    with WireServer() as wire, pytest.raises(urllib.error.HTTPError) as caught:
        post(f"{wire.url}/nowhere", {})
    with caught.value as response:
        assert response.status == 418
        assert "/nowhere" in response.read().decode()
