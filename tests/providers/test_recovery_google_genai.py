"""Gemini through langchain-google-genai: what goes over the wire is what LangChain's callbacks get, once patched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from tests.providers.recorder import PATHS, Recorder, run
from tests.providers.wire import Request, WireServer, json_body, sse

google = pytest.importorskip("langchain_google_genai")
chat_models = pytest.importorskip("langchain_google_genai.chat_models")

# google-genai subclasses aiohttp's ClientSession where aiohttp is installed, and aiohttp remarks on that.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class .* is discouraged:DeprecationWarning")


def candidate(token: str, logprob: float) -> dict[str, Any]:
    return {"token": token, "tokenId": len(token), "logProbability": logprob}


# What the wire carries, two pieces of a stream: chosen tokens, and the top candidates of each step. The second step's
# chosen token is not among its top candidates, which Google's documentation says can happen.
CHOSEN = [[candidate("Hello", -0.0012), candidate(" wor", -3.5)], [candidate("ld", 0.0)]]
TOP = [
    [
        {"candidates": [candidate("Hello", -0.0012), candidate("Hi", -7.25)]},
        {"candidates": [candidate(" all", -0.5), candidate(" you", -1.5)]},
    ],
    [{"candidates": [candidate("ld", 0.0)]}],
]


def expected(chosen: list[Any], top: list[Any]) -> list[dict[str, Any]]:
    def plain(each: dict[str, Any]) -> dict[str, Any]:
        return {"token": each["token"], "logprob": each["logProbability"]}

    return [
        {**plain(one), "top_logprobs": [plain(other) for other in others["candidates"]]}
        for one, others in zip(chosen, top, strict=True)
    ]


ENTRIES = [each for chosen, top in zip(CHOSEN, TOP, strict=True) for each in expected(chosen, top)]


def piece(at: slice, finish: str | None = None, asked: bool = True, **more: Any) -> dict[str, Any]:
    chosen = [each for part in CHOSEN[at] for each in part]
    text = "".join(each["token"] for each in chosen)
    made: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, **more}
    if asked:
        top = [each for part in TOP[at] for each in part]
        made["logprobsResult"] = {"chosenCandidates": chosen, "topCandidates": top}
    if finish:
        made["finishReason"] = finish
    return made


def body(*candidates: dict[str, Any]) -> dict[str, Any]:
    usage = {"promptTokenCount": 2, "candidatesTokenCount": 3, "totalTokenCount": 5}
    return {"candidates": list(candidates), "usageMetadata": usage, "modelVersion": "gemini-2.0-flash"}


def answer(request: Request) -> Any:
    asked = bool(request.json.get("generationConfig", {}).get("responseLogprobs"))
    if request.path.endswith(":streamGenerateContent"):
        # Both pieces end with a finish reason and an average, as older Gemini versions did.
        pieces = [
            piece(slice(0, 1), "STOP", asked=asked, avgLogprobs=-0.5),
            piece(slice(1, 2), "STOP", asked=asked, avgLogprobs=-0.25),
        ]
        return sse([body(each) for each in pieces], done=None)
    return json_body(body(piece(slice(None), "STOP", asked=asked, avgLogprobs=-0.75)))


@pytest.fixture
def wire() -> Iterator[WireServer]:
    with WireServer() as server:
        server.answer("/v1beta/models/*", answer)
        yield server


@pytest.fixture
def patched() -> Iterator[None]:
    undo = recover_dropped_logprobs("google_genai")
    yield
    undo()


def chat(wire: WireServer, **options: Any) -> Any:
    return google.ChatGoogleGenerativeAI(
        model="gemini-2.0-flash", base_url=wire.url, google_api_key="unused", max_retries=0, **options
    )


ASK: dict[str, Any] = {"response_logprobs": True, "logprobs": 2}


@pytest.mark.parametrize("path", PATHS)
def test_equals_the_wire(wire: WireServer, patched: None, path: str) -> None:
    recorder, got = run(chat(wire), path, **ASK)
    assert wire.requests[-1].json["generationConfig"]["logprobs"] == 2
    assert recorder.end_info["logprobs"] == {"content": ENTRIES}
    assert got.response_metadata["logprobs"] == {"content": ENTRIES}
    assert recorder.streamed_entries == ([] if "invoke" in path else ENTRIES)
    assert got.text == "Hello world"
    assert json.loads(json.dumps(recorder.end_info["logprobs"])) == {"content": ENTRIES}


@pytest.mark.parametrize("path", PATHS)
def test_the_average_comes_with_a_whole_answer_only(wire: WireServer, patched: None, path: str) -> None:
    """LangChain cannot merge the averages of two chunks: it would raise into the user's call."""
    recorder, got = run(chat(wire), path)
    average = -0.75 if "invoke" in path else None
    assert recorder.end_info.get("avg_logprobs") == average
    assert got.response_metadata.get("avg_logprobs") == average
    assert "logprobs" not in recorder.end_info


@pytest.mark.parametrize("path", PATHS)
def test_unpatched_they_are_dropped(wire: WireServer, path: str) -> None:
    recorder, got = run(chat(wire), path, **ASK)
    assert wire.requests[-1].json["generationConfig"]["responseLogprobs"] is True
    assert "logprobs" not in recorder.end_info
    assert "logprobs" not in got.response_metadata
    assert not recorder.streamed


def test_every_candidate_gets_its_own(wire: WireServer, patched: None) -> None:
    first, second, third = piece(slice(0, 1), "STOP"), piece(slice(1, 2), "STOP"), piece(slice(0, 1), asked=False)
    wire.answer("/v1beta/models/*", json_body(body(first, second, third)))
    recorder = Recorder()
    chat(wire, n=3).invoke("hi", {"callbacks": [recorder]}, **ASK)
    (generations,) = recorder.ends[0].generations
    assert [(each.generation_info or {}).get("logprobs") for each in generations] == [
        {"content": ENTRIES[:2]},
        {"content": ENTRIES[2:]},
        None,
    ]


@pytest.mark.parametrize(
    ("result", "entries"),
    [
        ({}, None),
        ({"chosenCandidates": []}, None),
        ({"chosenCandidates": [candidate("a", -1.0)]}, [{"token": "a", "logprob": -1.0, "top_logprobs": []}]),
        ({"chosenCandidates": [{"token": "a"}]}, [{"token": "a", "logprob": None, "top_logprobs": []}]),
        (
            {"chosenCandidates": [candidate("", -1.0)], "topCandidates": [{}]},
            [{"token": "", "logprob": -1.0, "top_logprobs": []}],
        ),
        ({"topCandidates": TOP[0]}, None),
    ],
)
def test_sparse_results(wire: WireServer, patched: None, result: Any, entries: list[Any] | None) -> None:
    wire.answer("/v1beta/models/*", json_body(body(piece(slice(None), "STOP", logprobsResult=result, asked=False))))
    recorder, _ = run(chat(wire), "invoke", **ASK)
    assert recorder.end_info.get("logprobs") == (entries and {"content": entries})


def test_a_blocked_prompt_has_no_candidates(wire: WireServer, patched: None) -> None:
    wire.answer("/v1beta/models/*", json_body({"promptFeedback": {"blockReason": "SAFETY"}}))
    recorder, _ = run(chat(wire), "invoke", **ASK)
    assert "logprobs" not in recorder.end_info
    assert not recorder.errors


def test_patch_unpatch_patch_again(wire: WireServer) -> None:
    original = chat_models._response_to_result
    for _ in range(2):
        undo = recover_dropped_logprobs("google_genai")
        assert run(chat(wire), "invoke", **ASK)[0].end_info["logprobs"] == {"content": ENTRIES}
        undo()
        assert "logprobs" not in run(chat(wire), "stream", **ASK)[0].end_info
    assert chat_models._response_to_result is original


@pytest.mark.parametrize("path", PATHS)
def test_an_upstream_that_keeps_them_is_not_doubled(
    wire: WireServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """A stand-in for a langchain-google-genai that reads them by itself, in a shape of its own."""
    original = chat_models._response_to_result

    def keeping(response: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(response, *args, **kwargs)
        for generation, one in zip(result.generations, response.candidates, strict=True):
            generation.generation_info["logprobs"] = [each.token for each in one.logprobs_result.chosen_candidates]
        return result

    monkeypatch.setattr(chat_models, "_response_to_result", keeping)
    undo = recover_dropped_logprobs("google_genai")
    try:
        _, got = run(chat(wire), path, **ASK)
    finally:
        undo()
    assert got.response_metadata["logprobs"] == ["Hello", " wor", "ld"]


def test_the_answer_survives_a_failure_in_the_patch(
    wire: WireServer, patched: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from langchain_logprobs.patches import patching
    from langchain_logprobs.patches.recovery import google_genai

    monkeypatch.setattr(patching, "_said", set())

    def broken(result: Any) -> Any:
        raise AttributeError("no such field")

    monkeypatch.setattr(google_genai, "_entries", broken)
    for path in PATHS:
        assert run(chat(wire), path, **ASK)[1].text == "Hello world"
    assert [record.getMessage() for record in caplog.records if record.name == "langchain_logprobs"] == [
        "could not recover logprobs of google_genai: AttributeError"
    ]
