"""What was asked of a model, by the parameters, the constructor and the class that LangChain tells of."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_logprobs.capture.asked import (
    RESPONSES_INCLUDE,
    asked_of,
    asks_for_logprobs,
    choice_count,
    class_name,
    constructor_asks,
)
from langchain_logprobs.confidence.inputs import Asked

PATCHES = {"ChatOllama": "ollama", "ChatLiteLLM": "litellm", "ChatGoogleGenerativeAI": "google_genai"}
PATCHES |= {"ChatOpenAI": "openai_responses", "ChatNVIDIA": "nvidia"}


def serialized(name: str, **constructor: Any) -> dict[str, Any]:
    return {"id": ["langchain", "chat_models", name], "kwargs": constructor}


def asked(name: str = "ChatAny", *, prompts: Any = (), made: dict[str, Any] | None = None, **params: Any) -> Asked:
    return asked_of(serialized(name, **(made or {})), prompts, params, {"invocation_params": params}, PATCHES.get)


@pytest.mark.parametrize(
    ("params", "asks"),
    [
        ({}, False),
        ({"logprobs": True}, True),
        ({"logprobs": False}, False),
        ({"logprobs": None}, False),
        ({"logprobs": 0}, True),  # legacy completions then return the sampled token's logprob alone
        ({"logprobs": 5}, True),
        ({"logprobs": "yes"}, False),
        ({"top_logprobs": 0}, False),
        ({"top_logprobs": 3}, True),
        ({"n_probs": 0}, False),
        ({"n_probs": 1}, True),
        ({"top_logprobs": 0, "return_logprobs": True}, True),
        ({"response_logprobs": True}, True),
        ({"responseLogprobs": True}, True),
        ({"model_kwargs": {"logprobs": True}}, True),
        ({"extra_body": {"logprobs": 2}}, True),
        ({"options": {"top_logprobs": 2}}, True),
        ({"model_kwargs": "logprobs"}, False),
        ({"include": [RESPONSES_INCLUDE]}, True),
        ({"include": (RESPONSES_INCLUDE, "x")}, True),
        ({"include": ["x"]}, False),
        ({"include": RESPONSES_INCLUDE}, False),
    ],
)
def test_whether_a_request_asks(params: dict[str, Any], asks: bool) -> None:
    assert asks_for_logprobs(params) is asks
    assert asked(**params).logprobs is asks


@pytest.mark.parametrize(
    ("told", "asks"),
    [
        (None, False),
        ("ChatOllama", False),
        ({"kwargs": {"logprobs": True}}, True),
        ({"kwargs": {"logprobs": False}}, False),
        ({"kwargs": None}, False),
        ({"repr": "ChatOllama(model='x', logprobs=True)"}, True),
        ({"repr": "ChatOllama(model='x', top_logprobs=3)"}, True),
        ({"repr": "Chat(model_kwargs={'logprobs': True})"}, True),
        ({"repr": "ChatOllama(model='x', logprobs=False, top_logprobs=0)"}, False),
        ({"repr": "ChatOllama(model='nologprobs=True')"}, False),
        ({"repr": 5}, False),
    ],
)
def test_whether_a_constructor_asks(told: object, asks: bool) -> None:
    assert constructor_asks(told) is asks
    found = asked_of(told, (), {}, {}, PATCHES.get)
    assert found.logprobs is asks
    # A class that is told of by its request alone is not known to send its constructor's flag.
    assert found.to_bind is None


def test_a_flag_of_the_request_hides_that_of_the_constructor() -> None:
    found = asked("ChatHuggingFace", made={"logprobs": True})
    assert (found.logprobs, found.to_bind) == (True, "logprobs=True")
    found = asked("ChatHuggingFace", made={"logprobs": True}, logprobs=True)
    assert (found.logprobs, found.to_bind) == (True, None)
    assert asked("ChatNVIDIA", made={"logprobs": True}).to_bind is None  # it sends its constructor's flag


@pytest.mark.parametrize(
    ("name", "params", "dropped_by", "drops"),
    [
        ("ChatAny", {"logprobs": True}, None, None),
        ("ChatNVIDIA", {"logprobs": True}, "nvidia", "always"),
        ("ChatNVIDIA", {}, None, None),  # nothing was asked for
        ("ChatOllama", {"logprobs": True}, "ollama", "without chunks"),
        ("ChatLiteLLM", {"logprobs": True}, "litellm", "streamed"),
        ("ChatMistralAI", {"logprobs": True}, None, "always"),
        ("ChatOpenAI", {"logprobs": True}, None, None),  # Chat Completions keep them
        ("ChatOpenAI", {"include": [RESPONSES_INCLUDE]}, "openai_responses", "always"),
    ],
)
def test_on_which_calls_a_class_drops_them(
    name: str, params: dict[str, Any], dropped_by: str | None, drops: str | None
) -> None:
    found = asked(name, **params)
    assert (found.dropped_by, found.drops) == (dropped_by, drops)


@pytest.mark.parametrize(
    ("count", "choices"), [(None, 1), (0, 1), (1, 1), (2, 2), (5, 5), (True, 1), (-3, 1), ("4", 1), (2.5, 1)]
)
def test_how_many_answers(count: Any, choices: int) -> None:
    assert choice_count({"n": count}) == asked(n=count).choices == choices


@pytest.mark.parametrize(
    ("stop", "stops"),
    [(None, ()), ("x", ("x",)), ("", ()), (["x", "y"], ("x", "y")), (("x", "", 5), ("x",)), (5, ()), ({"x": 1}, ())],
)
def test_where_the_text_stops(stop: Any, stops: tuple[str, ...]) -> None:
    assert asked(stop=stop).stops == stops


@pytest.mark.parametrize(
    ("prompts", "params", "echoed"),
    [
        (["Once"], {"echo": True}, "Once"),
        (["Once"], {"model_kwargs": {"echo": True}}, "Once"),
        (["Once"], {"echo": False}, ""),
        (["Once"], {"echo": "yes"}, ""),
        (["Once"], {}, ""),
        ([], {"echo": True}, ""),
        ([5], {"echo": True}, ""),
    ],
)
def test_the_prompt_that_an_answer_repeats(prompts: Any, params: dict[str, Any], echoed: str) -> None:
    assert asked(prompts=prompts, **params).echoed == echoed


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (serialized("ChatOpenAI"), "ChatOpenAI"),
        ({"id": ("a", "B")}, "B"),
        ({"id": []}, ""),
        ({"id": "ChatOpenAI"}, ""),
        ({}, ""),
        (None, ""),
        ("ChatOpenAI", ""),
    ],
)
def test_the_class(told: object, name: str) -> None:
    assert class_name(told) == name


def test_the_request_is_kept_for_its_schema() -> None:
    assert asked(logprobs=True).request == {"invocation_params": {"logprobs": True}}
