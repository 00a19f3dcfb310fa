"""langchain-community's LlamaCpp, with a fake model: llama-cpp-python runs in the process and has no address."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from tests.providers.recorder import Recorder

llamacpp = pytest.importorskip("langchain_community.llms.llamacpp")

LOGPROBS: dict[str, list[Any]] = {
    "text_offset": [0, 5],
    "tokens": ["Hello", " world"],
    "token_logprobs": [-0.5, -0.25],
    "top_logprobs": [{"Hello": -0.5}, {" world": -0.25}],
}
PARTS = [{key: value[at : at + 1] for key, value in LOGPROBS.items()} for at in range(2)]


class FakeLlama:
    """A fake of llama_cpp.Llama: answers as create_completion does."""

    metadata: dict[str, str] = {}  # noqa: RUF012 - as in the original

    def __call__(self, prompt: str, stream: bool = False, logprobs: int | None = None, **_: Any) -> Any:
        if prompt == "none":
            logprobs = None
        if stream:
            return self._parts(logprobs)
        return {"choices": [{"text": "Hello world", "logprobs": LOGPROBS if logprobs else None}]}

    def _parts(self, logprobs: int | None) -> Iterator[Any]:
        for part in PARTS:
            yield {"choices": [{"text": part["tokens"][0], "logprobs": part if logprobs else None}]}


def model(**options: Any) -> Any:
    # model_construct, because validation loads a model file.
    return llamacpp.LlamaCpp.model_construct(client=FakeLlama(), model_path="fake", **{"logprobs": 1, **options})


@pytest.fixture
def patched() -> Iterator[None]:
    undo = recover_dropped_logprobs("llamacpp")
    yield
    undo()


def call(llm: Any, path: str) -> tuple[Recorder, str]:
    recorder = Recorder()
    config: Any = {"callbacks": [recorder]}
    text = llm.invoke("hi", config) if path == "invoke" else asyncio.run(llm.ainvoke("hi", config))
    return recorder, text


@pytest.mark.parametrize("path", ["invoke", "ainvoke"])
@pytest.mark.parametrize("streaming", [False, True])
def test_a_call_keeps_what_the_model_gave(patched: None, path: str, streaming: bool) -> None:
    llm = model(streaming=streaming)
    client = llm.client
    recorder, text = call(llm, path)
    assert text == "Hello world"
    assert recorder.end_info == {"logprobs": LOGPROBS}
    assert [each["log_probs"] for each in recorder.token_kwargs] == (PARTS if streaming else [])
    assert llm.client is client


@pytest.mark.parametrize("path", ["invoke", "ainvoke"])
@pytest.mark.parametrize("streaming", [False, True])  # True is the class's default
def test_unpatched_they_are_dropped(path: str, streaming: bool) -> None:
    assert call(model(streaming=streaming), path)[0].end_info == {}


def test_a_stream_keeps_its_own(patched: None) -> None:
    recorder = Recorder()
    assert "".join(model().stream("hi", {"callbacks": [recorder]})) == "Hello world"
    assert recorder.end_info == {"logprobs": LOGPROBS}
    assert [each["log_probs"] for each in recorder.token_kwargs] == PARTS


def test_several_prompts_keep_theirs_apart(patched: None) -> None:
    result = model().generate(["none", "some"])
    assert [each.generation_info for (each,) in result.generations] == [None, {"logprobs": LOGPROBS}]


def test_not_asked_for_none_appear(patched: None) -> None:
    assert call(model(logprobs=None), "invoke")[0].end_info == {}


def test_patch_unpatch_patch_again() -> None:
    for _ in range(2):
        undo = recover_dropped_logprobs("llamacpp")
        assert call(model(), "invoke")[0].end_info == {"logprobs": LOGPROBS}
        undo()
        assert call(model(), "invoke")[0].end_info == {}
    assert "_generate" not in vars(llamacpp.LlamaCpp)


def test_an_upstream_that_keeps_them_is_not_doubled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for a LlamaCpp whose own `_generate` reads them."""
    inherited = llamacpp.LlamaCpp._generate

    def keeping(self: Any, prompts: list[str], *args: Any, **kwargs: Any) -> Any:
        result = inherited(self, prompts, *args, **kwargs)
        result.generations[0][0].generation_info = {"logprobs": ["kept"]}
        return result

    monkeypatch.setattr(llamacpp.LlamaCpp, "_generate", keeping)
    undo = recover_dropped_logprobs("llamacpp")
    try:
        assert call(model(), "invoke")[0].end_info == {"logprobs": ["kept"]}
    finally:
        undo()
