"""Wrong settings are refused when they are chosen in code, and never when they come from the environment."""

from __future__ import annotations

import copy
import dataclasses
import decimal
import logging
import os
import pickle
import pydoc
import subprocess
import sys
import threading
from typing import Any

import pytest

from langchain_logprobs import LogprobsCallbackHandler, Settings, settings
from langchain_logprobs.settings import CAPTURE_CONTENT_ENV, ENV_PREFIX, SETTINGS, meanings

WRONG_TEXTS = {
    "spans": "some",
    "events": "logs",
    "capture_text": "perhaps",
    "capture_messages": "2",
    "alternatives": "high",
    "low_probability": "0,2",
    "high_confidence": "1.01",
    "medium_confidence": "nan",
    "censored_floor": "1",
    "max_chunk_events": "many",
    "max_stretches": "3.5",
    "max_fields": "-1",
    "detail_bytes": "46k",
    "span_bytes": "9" * 400,
    "max_open_calls": "0",
    "max_run_seconds": "inf",
    "max_chunks": "1e99",
    "page_url": "127.0.0.1:8899/trace/{trace_id}",
}


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(settings, "_said", set())
    caplog.set_level(logging.DEBUG, "langchain_logprobs")


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    assert {record.name for record in caplog.records} <= {"langchain_logprobs"}
    return [(record.levelname, record.getMessage()) for record in caplog.records]


class Hostile:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("spans", "some", "'all', 'llm'"),
        ("spans", "ALL", "'all', 'llm'"),  # words are case-blind in the environment only
        ("events", None, "'span', 'log', 'both', 'none'"),
        ("events", b"log", "'span', 'log', 'both', 'none'"),
        ("events", "ログ", "'span', 'log', 'both', 'none'"),
        ("events", "", "'span', 'log', 'both', 'none'"),
        ("alternatives", ["low"], "'low', 'all', 'none'"),
        ("alternatives", Hostile(), "'low', 'all', 'none'"),
        ("capture_text", "yes", "True or False"),
        ("capture_text", 1, "True or False"),
        ("capture_messages", None, "True or False"),
        ("page_url", "http://127.0.0.1:8899/", "{trace_id}"),
        ("page_url", "ftp://127.0.0.1/{trace_id}", "an http or https address"),
        ("page_url", "javascript:alert(1)//{trace_id}", "an http or https address"),
        ("page_url", "http://127.0.0.1/{trace_id}/{user}", "{span_id} where it is wanted"),
        ("page_url", "http://127.0.0.1/{trace_id} x", "an http or https address"),
        ("page_url", "http://127.0.0.1/{trace_id}\n", "an http or https address"),
        ("page_url", "http:///{trace_id}", "an http or https address"),
        ("page_url", "", "an http or https address"),
        ("page_url", 8899, "an http or https address"),
        ("low_probability", 1.5, "a number from 1e-09 to 1"),
        ("low_probability", float("nan"), "a number from"),
        ("low_probability", float("-inf"), "a number from"),
        ("low_probability", True, "a number from"),
        ("low_probability", "0.1", "a number from"),
        ("low_probability", 10**400, "a number from"),
        ("low_probability", 0, "a number from"),
        ("high_confidence", decimal.Decimal("NaN"), "a number from"),
        ("censored_floor", 1, "a number from -9998 to 0"),
        ("max_chunk_events", 0, "an integer from 1 to 128"),
        ("max_chunk_events", 129, "an integer from 1 to 128"),
        ("max_chunk_events", 2.0, "an integer from 1 to 128"),
        ("max_chunk_events", True, "an integer from 1 to 128"),
        ("max_chunk_events", "8", "an integer from 1 to 128"),
        ("span_bytes", 10, "an integer from 4096 to 4000000"),
        ("max_run_seconds", -1, "a number from"),
    ],
)
def test_a_wrong_value_is_named(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(ValueError, match=rf"^Settings\.{name}=") as caught:
        Settings(**{name: value})
    message = str(caught.value)
    assert allowed in message
    assert repr(value)[:200] in message
    assert len(message.splitlines()) == 1  # none of pydantic's own words, links and types
    assert len(message) < 400


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("low_probability", 1e-9),
        ("low_probability", 1),
        ("censored_floor", -9998),
        ("censored_floor", 0.0),
        ("max_chunk_events", 1),
        ("max_chunk_events", 128),
        ("max_chunks", 100_000_000),
    ],
)
def test_the_ends_of_a_range_belong_to_it(name: str, value: Any) -> None:
    assert getattr(Settings(**{name: value}), name) == value


def test_each_of_several_wrong_values_is_named() -> None:
    with pytest.raises(ValueError, match="events") as caught:
        Settings(events="logs", max_fields=-1)  # type: ignore[arg-type]
    assert str(caught.value).splitlines() == [
        "Settings.events='logs' is not one of 'span', 'log', 'both', 'none'.",
        "Settings.max_fields=-1 is not an integer from 0 to 10000.",
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("event", "events"),
        ("low_prob", "low_probability"),
        ("lowProbability", "low_probability"),
        ("max_chunk", "max_chunks"),
        ("captureText", "capture_text"),
        ("MAX_FIELDS", None),
        ("tracer_provider", None),
        ("", None),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name: str, meant: str | None) -> None:
    with pytest.raises(TypeError) as caught:
        Settings(**{name: 1})  # type: ignore[arg-type]
    cure = f"; there are {', '.join(SETTINGS)}." if meant is None else f": did you mean {meant}?"
    assert str(caught.value) == f"Settings has no setting {name!r}{cure}"


def test_settings_are_given_by_name() -> None:
    with pytest.raises(TypeError, match="by name"):
        Settings("llm")  # type: ignore[call-arg]


def test_levels_must_be_in_order() -> None:
    with pytest.raises(ValueError, match=r"^Settings\.medium_confidence=0\.4 is above high_confidence=0.3;"):
        Settings(high_confidence=0.3, medium_confidence=0.4)
    assert Settings(high_confidence=0.3, medium_confidence=0.3).high_confidence == 0.3


def test_messages_are_refused_where_no_text_may_go_out() -> None:
    with pytest.raises(ValueError, match=r"^Settings\.capture_messages=True needs capture_text=True"):
        Settings(capture_text=False, capture_messages=True)
    with pytest.raises(ValueError, match="capture_text"):
        dataclasses.replace(Settings(capture_messages=True), capture_text=False)


def test_the_handler_takes_settings_only() -> None:
    with pytest.raises(TypeError, match="settings="):
        LogprobsCallbackHandler({"events": "log"})  # type: ignore[arg-type]


def test_settings_cannot_be_changed_and_can_be_copied_compared_and_pickled() -> None:
    some = Settings(events="log", low_probability=0.1)
    with pytest.raises(AttributeError):
        some.events = "span"  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        some.new = 1  # type: ignore[attr-defined]
    assert copy.deepcopy(some) == pickle.loads(pickle.dumps(some)) == some != Settings()
    assert len({some, copy.copy(some), Settings()}) == 2
    assert dataclasses.replace(some, max_fields=3) == Settings(events="log", low_probability=0.1, max_fields=3)
    assert eval(repr(some)) == some


def test_help_says_what_each_setting_means_what_it_can_be_and_its_default() -> None:
    text = " ".join(pydoc.plain(pydoc.render_doc(Settings)).replace("|", " ").split())
    assert list(SETTINGS) == [item.name for item in dataclasses.fields(Settings)]
    assert list(meanings()) == list(SETTINGS)
    for name, each in SETTINGS.items():
        assert len(meanings()[name]) > 20
        allowed = each.allowed[0].upper() + each.allowed[1:]
        assert f"{name}: {meanings()[name]} {allowed}; default {each.default!r}." in text, name
        assert getattr(Settings(), name) == each.default


def test_help_is_there_without_docstrings_and_without_source() -> None:
    code = "from langchain_logprobs import Settings, settings; print(Settings.__doc__)"
    done = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True, check=True)
    assert "low_probability: A token under this probability is low." in done.stdout
    gone = "import inspect; inspect.getsource = lambda _: open('/nowhere/settings.py'); "
    done = subprocess.run([sys.executable, "-c", gone + code], capture_output=True, text=True, check=True)
    assert "A number from 1e-09 to 1; default 0.2." in done.stdout


def test_importing_the_settings_imports_no_langchain_and_no_opentelemetry() -> None:
    code = (
        "import sys, langchain_logprobs.settings; "
        "print([name for name in sys.modules if name.startswith(('langchain_core', 'opentelemetry', 'langsmith'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# From the environment.


def test_the_environment_gives_every_kind_of_setting(caplog: pytest.LogCaptureFixture) -> None:
    found = Settings.from_env(
        {
            "LANGCHAIN_LOGPROBS_EVENTS": "both",
            "LANGCHAIN_LOGPROBS_CAPTURE_TEXT": "off",
            "LANGCHAIN_LOGPROBS_LOW_PROBABILITY": "0.35",
            "LANGCHAIN_LOGPROBS_MAX_CHUNK_EVENTS": "8",
            "LANGCHAIN_LOGPROBS_SPANS": "",
            "LANGCHAIN_LOGPROBS_ALTERNATIVES": "  ",
            "PATH": "/bin",
        },
        spans="llm",
    )
    assert found == Settings(events="both", capture_text=False, low_probability=0.35, max_chunk_events=8, spans="llm")
    assert said(caplog) == []


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("EVENTS", "LOG", "log"),
        ("EVENTS", " Both\n", "both"),
        ("SPANS", "Llm", "llm"),
        ("ALTERNATIVES", "NONE", "none"),
        ("CAPTURE_TEXT", "FALSE", False),
        ("CAPTURE_TEXT", "No", False),
        ("CAPTURE_MESSAGES", "ON", True),
        ("CAPTURE_MESSAGES", "1", True),
        ("LOW_PROBABILITY", "1E-3", 0.001),
        ("LOW_PROBABILITY", ".5", 0.5),
        ("CENSORED_FLOOR", "-50", -50.0),
        ("MAX_FIELDS", " 0 ", 0),
        ("SPAN_BYTES", "8192", 8192),
    ],
)
def test_what_is_written_in_a_variable(caplog: pytest.LogCaptureFixture, name: str, text: str, value: Any) -> None:
    found = getattr(Settings.from_env({ENV_PREFIX + name: text}), name.lower())
    assert (found, type(found)) == (value, type(value))
    assert said(caplog) == []


@pytest.mark.parametrize("name", list(SETTINGS))
def test_a_wrong_variable_is_one_line_and_the_default(caplog: pytest.LogCaptureFixture, name: str) -> None:
    each, text = SETTINGS[name], WRONG_TEXTS.get(name, "nonsense")
    value = False if name == "capture_text" else each.default
    environ = {"LANGCHAIN_LOGPROBS_MAX_STRETCHES": "7", each.variable: text}
    found = Settings.from_env(environ)
    others: dict[str, Any] = {} if name == "max_stretches" else {"max_stretches": 7}
    assert found == Settings(**{**others, name: value})
    ((level, message),) = said(caplog)
    assert level == "ERROR"
    assert message.startswith(f"{each.variable}={text!r:.200} is not {each.allowed}; ")
    assert f"{value!r} is taken" in message


@pytest.mark.parametrize(
    "text", ["log,span", '"log"', "l\nog", "\udcff\udcfe", "журнал", "x" * 100_000, "%s %d", "true"]
)
def test_whatever_stands_in_a_variable_is_one_line(caplog: pytest.LogCaptureFixture, text: str) -> None:
    assert Settings.from_env({"LANGCHAIN_LOGPROBS_EVENTS": text}) == Settings()
    ((_, message),) = said(caplog)
    assert len(message.splitlines()) == 1
    assert len(message) < 400
    message.encode()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("LANGCHAIN_LOGPROBS_EVENT", "EVENTS"),
        ("LANGCHAIN_LOGPROBS_LOW_PROB", "LOW_PROBABILITY"),
        ("LANGCHAIN_LOGPROBS_CAPTURE_TEXTS", "CAPTURE_TEXT"),
        ("langchain_logprobs_spans", "SPANS"),
        ("LANGCHAIN_LOGPROB_MAX_FIELDS", "MAX_FIELDS"),
        ("LANGCHAIN_LOGPROBS_MAXFIELDS", "MAX_FIELDS"),
        ("LANGCHAIN_LOGPROBS_HIGH_CONFIDENCE_", "HIGH_CONFIDENCE"),
    ],
)
def test_a_misspelled_name_is_one_warning(caplog: pytest.LogCaptureFixture, name: str, meant: str) -> None:
    for _ in range(3):
        assert Settings.from_env({name: "log"}) == Settings()
    assert said(caplog) == [("WARNING", f"{name!r} is no setting: did you mean {ENV_PREFIX}{meant}?")]


def test_names_of_others_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    Settings.from_env({"LANGCHAIN_TRACING_V2": "true", "LANGCHAIN_PROJECT": "x", "LOGPROBS": "5", "": ""})
    assert said(caplog) == []


def test_a_line_is_said_once_however_many_handlers_are_made(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LANGCHAIN_LOGPROBS_EVENTS", "sometimes")
    monkeypatch.setenv(CAPTURE_CONTENT_ENV, "maybe")
    threads = [threading.Thread(target=LogprobsCallbackHandler) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert LogprobsCallbackHandler().settings.events == "span"
    assert sorted(level for level, _ in said(caplog)) == ["ERROR", "WARNING"]


def test_overrides_win_and_are_refused_where_they_are_wrong(caplog: pytest.LogCaptureFixture) -> None:
    environ = {"LANGCHAIN_LOGPROBS_EVENTS": "log", "LANGCHAIN_LOGPROBS_MAX_FIELDS": "5"}
    assert Settings.from_env(environ, events="both") == Settings(events="both", max_fields=5)
    with pytest.raises(ValueError, match=r"^Settings\.events='logs' is not one of"):
        Settings.from_env(environ, events="logs")
    with pytest.raises(TypeError, match="did you mean events"):
        Settings.from_env(environ, event="log")
    with pytest.raises(ValueError, match="capture_messages"):
        Settings.from_env(environ, capture_text=False, capture_messages=True)
    with pytest.raises(ValueError, match="medium_confidence"):
        Settings.from_env({"LANGCHAIN_LOGPROBS_HIGH_CONFIDENCE": "0.7"}, medium_confidence=0.9)
    with pytest.raises(ValueError, match="medium_confidence"):
        Settings.from_env({"LANGCHAIN_LOGPROBS_HIGH_CONFIDENCE": "0.4"}, medium_confidence="none")


@pytest.mark.parametrize(
    ("environ", "overrides", "medium", "high", "lines"),
    [
        ({"MEDIUM": "0.9"}, {}, 0.65, 0.86, 1),
        ({"HIGH": "0.4"}, {}, 0.65, 0.86, 1),
        ({"MEDIUM": "0.6", "HIGH": "0.55"}, {}, 0.65, 0.86, 2),
        ({"MEDIUM": "0.9", "HIGH": "0.95"}, {}, 0.9, 0.95, 0),
        ({"MEDIUM": "0.9"}, {"high_confidence": 0.95}, 0.9, 0.95, 0),
        ({"HIGH": "0.6"}, {"medium_confidence": 0.7}, 0.7, 0.86, 1),
        ({"HIGH": "0.4"}, {"high_confidence": 0.9}, 0.65, 0.9, 0),
    ],
)
def test_levels_of_the_environment_in_the_wrong_order(
    caplog: pytest.LogCaptureFixture,
    environ: dict[str, str],
    overrides: dict[str, Any],
    medium: float,
    high: float,
    lines: int,
) -> None:
    variables = {f"{ENV_PREFIX}{name}_CONFIDENCE": text for name, text in environ.items()}
    found = Settings.from_env(variables, **overrides)
    assert (found.medium_confidence, found.high_confidence) == (medium, high)
    assert [level for level, _ in said(caplog)] == ["ERROR"] * lines
    assert all(message.startswith(ENV_PREFIX) for _, message in said(caplog))


# Text.


@pytest.mark.parametrize(
    ("mode", "text", "messages"),
    [
        ("NO_CONTENT", False, False),
        ("no_content", False, False),
        ("span_only", True, True),
        ("SPAN_AND_EVENT", True, True),
        ("true", True, True),
        ("True", True, True),
        (" TRUE ", True, True),
        ("1", True, True),
        ("EVENT_ONLY", True, False),
        ("false", True, False),
        ("FALSE", True, False),
        ("0", True, False),
        ("", True, False),
        ("  ", True, False),
    ],
)
def test_the_ecosystems_privacy_switch(caplog: pytest.LogCaptureFixture, mode: str, text: bool, messages: bool) -> None:
    found = Settings.from_env({CAPTURE_CONTENT_ENV: mode})
    assert (found.capture_text, found.capture_messages) == (text, messages)
    assert said(caplog) == []


@pytest.mark.parametrize("mode", ["maybe", "yes", "NO-CONTENT", "span only", "2", "真", "x" * 9_999, "a\nb"])
def test_an_unknown_word_of_that_switch_keeps_text_in(caplog: pytest.LogCaptureFixture, mode: str) -> None:
    found = Settings.from_env({CAPTURE_CONTENT_ENV: mode})
    assert (found.capture_text, found.capture_messages) == (False, False)
    ((level, message),) = said(caplog)
    assert level == "WARNING"
    assert f"{CAPTURE_CONTENT_ENV}={mode!r:.200} is not one of NO_CONTENT, SPAN_ONLY" in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("switch", "text", "messages", "kept", "lines"),
    [
        ("NO_CONTENT", None, "true", (False, False), 1),
        ("NO_CONTENT", "true", None, (False, False), 1),
        ("NO_CONTENT", "false", "false", (False, False), 0),
        ("SPAN_ONLY", "false", None, (False, False), 1),
        ("true", "false", "true", (False, False), 1),
        ("true", None, "false", (True, False), 0),
        ("false", None, "true", (True, True), 0),
        ("EVENT_ONLY", "true", "true", (True, True), 0),
        (None, "false", "true", (False, False), 1),
        (None, "flase", "true", (False, False), 2),
        ("nonsense", None, "true", (False, False), 2),
    ],
)
def test_the_stricter_variable_holds(
    caplog: pytest.LogCaptureFixture,
    switch: str | None,
    text: str | None,
    messages: str | None,
    kept: tuple[bool, bool],
    lines: int,
) -> None:
    given = {
        CAPTURE_CONTENT_ENV: switch,
        "LANGCHAIN_LOGPROBS_CAPTURE_TEXT": text,
        "LANGCHAIN_LOGPROBS_CAPTURE_MESSAGES": messages,
    }
    found = Settings.from_env({name: value for name, value in given.items() if value is not None})
    assert (found.capture_text, found.capture_messages) == kept
    assert len(said(caplog)) == lines


@pytest.mark.parametrize(
    ("switch", "overrides", "kept", "lines"),
    [
        ("SPAN_ONLY", {"capture_text": False}, (False, False), 0),
        ("NO_CONTENT", {"capture_text": True}, (True, False), 0),
        ("NO_CONTENT", {"capture_messages": True}, (False, False), 1),
        ("NO_CONTENT", {"capture_text": True, "capture_messages": True}, (True, True), 0),
        ("SPAN_ONLY", {"capture_messages": False}, (True, False), 0),
        ("false", {"capture_messages": True}, (True, True), 0),
    ],
)
def test_code_wins_over_the_environment_but_lets_no_text_out_by_accident(
    caplog: pytest.LogCaptureFixture, switch: str, overrides: dict[str, bool], kept: tuple[bool, bool], lines: int
) -> None:
    found = Settings.from_env({CAPTURE_CONTENT_ENV: switch}, **overrides)
    assert (found.capture_text, found.capture_messages) == kept
    assert len(said(caplog)) == lines


def test_the_process_environment_is_what_is_read_without_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGCHAIN_LOGPROBS_MAX_STRETCHES", "3")
    assert "LANGCHAIN_LOGPROBS_MAX_STRETCHES" in os.environ
    assert Settings.from_env().max_stretches == LogprobsCallbackHandler().settings.max_stretches == 3
