"""Wrong settings are refused when they are chosen, with their name and what is allowed."""

from __future__ import annotations

import pytest

from langchain_logprobs import LogprobsCallbackHandler, Settings


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("spans", "some", "'all', 'llm'"),
        ("events", None, "'span', 'log', 'both', 'none'"),
        ("alternatives", ["low"], "'low', 'all', 'none'"),
        ("capture_text", "yes", "True or False"),
        ("low_probability", 1.5, "a number from"),
        ("low_probability", float("nan"), "a number from"),
        ("censored_floor", 1, "a number from -9998 to 0"),
        ("max_chunk_events", 0, "an integer from 1 to 128"),
        ("max_chunk_events", 2.0, "an integer from 1 to 128"),
        ("max_chunk_events", True, "an integer from 1 to 128"),
        ("span_bytes", 10, "an integer from 4096"),
        ("max_run_seconds", -1, "a number from"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: object, allowed: str) -> None:
    with pytest.raises(ValueError, match=rf"Settings\.{name}") as caught:
        Settings(**{name: value})  # type: ignore[arg-type]
    assert allowed in str(caught.value)


def test_levels_must_be_in_order() -> None:
    with pytest.raises(ValueError, match="medium_confidence"):
        Settings(high_confidence=0.3, medium_confidence=0.4)


def test_the_handler_takes_settings_only() -> None:
    with pytest.raises(ValueError, match="settings="):
        LogprobsCallbackHandler({"events": "log"})  # type: ignore[arg-type]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Settings().events = "log"  # type: ignore[misc]


def test_the_environment_gives_every_kind_of_setting() -> None:
    settings = Settings.from_env(
        {
            "LANGCHAIN_LOGPROBS_EVENTS": "both",
            "LANGCHAIN_LOGPROBS_CAPTURE_TEXT": "off",
            "LANGCHAIN_LOGPROBS_LOW_PROBABILITY": "0.35",
            "LANGCHAIN_LOGPROBS_MAX_CHUNK_EVENTS": "8",
            "LANGCHAIN_LOGPROBS_SPANS": "",
        },
        spans="llm",
    )
    assert settings == Settings(
        events="both", capture_text=False, low_probability=0.35, max_chunk_events=8, spans="llm"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LANGCHAIN_LOGPROBS_EVENTS", "sometimes"),
        ("LANGCHAIN_LOGPROBS_CAPTURE_TEXT", "perhaps"),
        ("LANGCHAIN_LOGPROBS_MAX_CHUNK_EVENTS", "many"),
        ("LANGCHAIN_LOGPROBS_LOW_PROBABILITY", "low"),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "MAYBE"),
    ],
)
def test_a_wrong_environment_is_refused_at_construction(monkeypatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="(?i)" + name.rpartition("PROBS_")[2]):
        LogprobsCallbackHandler()


@pytest.mark.parametrize(
    ("mode", "text", "messages"),
    [
        ("NO_CONTENT", False, False),
        ("span_only", True, True),
        ("SPAN_AND_EVENT", True, True),
        ("EVENT_ONLY", True, False),
        ("", True, False),
    ],
)
def test_the_ecosystems_privacy_switch(mode: str, text: bool, messages: bool) -> None:
    settings = Settings.from_env({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": mode})
    assert (settings.capture_text, settings.capture_messages) == (text, messages)
