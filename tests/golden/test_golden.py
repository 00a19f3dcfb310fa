"""Nothing on any span changes unseen: see the package's first lines for what to do when something is to change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, LLMResult

from langchain_logprobs import Settings, read_logprobs

from .answers import Answer, answers
from .codec import decode, encode
from .command import SETS, golden_file, main
from .comparison import compare, report, write_golden
from .documents import COUNT, document
from .recording import DATA, CallbackRecorder, load_records
from .replay import Replayer


@pytest.mark.parametrize("name", SETS)
def test_every_attribute_is_the_golden_one(name: str) -> None:
    # On another machine, or another Python, the last digits may be others: `python tests/golden --compare` is exact.
    differences = compare(golden_file(DATA, name), SETS[name](), approximate=True)
    assert not differences, f"python tests/golden --compare:\n{report(differences)}"


@pytest.fixture(scope="module")
def spans() -> dict[str, Any]:
    """Some spans, flat."""
    replayer = Replayer()
    every = {record.name: replayer.replay(record.events()).spans[-1] for record in load_records("model")[:30]}
    return {name: span for name, span in every.items() if "logprobs.source" in span}


def changed(spans: dict[str, Any], name: str, change: Any) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(spans))
    for span in list(copy.values())[::7]:
        change(span, name)
    return copy


def nudge(span: dict[str, Any], name: str) -> None:
    span[name] = [value + 1e-4 for value in span[name]] if isinstance(span[name], list) else span[name] + 1e-4


CHANGES = {
    "a number": ("logprobs.mean", nudge),
    "one of many": ("logprobs.values", nudge),
    "gone": ("logprobs.source", lambda span, name: span.pop(name)),
    "new": ("logprobs.new", lambda span, name: span.update({name: "exact"})),
    "another kind": ("logprobs.token.count", lambda span, name: span.update({name: float(span[name])})),
    "order": ("logprobs.tokens", lambda span, name: span[name].reverse()),
    "parent": ("span parent", lambda span, name: span.update({name: "span 9"})),
}


@pytest.mark.parametrize("digests", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_and_named(spans: dict[str, Any], tmp_path: Path, change: str, digests: bool) -> None:
    name, make = CHANGES[change]
    write_golden(tmp_path / "golden", spans, digests=digests)
    assert not compare(tmp_path / "golden", spans)
    after = changed(spans, name, make)
    differences = compare(tmp_path / "golden", after, approximate=True)
    assert {each.name for each in differences} == {name}
    found, made = {each.entry for each in differences}, set(list(spans)[::7])
    assert found == made or (digests and found < made)  # one digest of a byte in 256 is the same by chance
    assert f"{name}: {len(found)} differ" in report(differences)


def test_the_last_digit_is_seen_unless_it_may_differ(spans: dict[str, Any], tmp_path: Path) -> None:
    after = changed(spans, "logprobs.mean", lambda span, name: span.update({name: span[name] * (1 + 1e-15)}))
    for digests in (False, True):
        write_golden(tmp_path / "golden", spans, digests=digests)
        assert {each.name for each in compare(tmp_path / "golden", after)} == {"logprobs.mean"}
        assert not compare(tmp_path / "golden", after, approximate=True)


def test_a_span_more_or_less_is_seen(spans: dict[str, Any], tmp_path: Path) -> None:
    fewer = dict(list(spans.items())[1:])
    for digests in (False, True):
        write_golden(tmp_path / "golden", spans, digests=digests)
        assert compare(tmp_path / "golden", fewer)
        write_golden(tmp_path / "golden", fewer, digests=digests)
        assert compare(tmp_path / "golden", spans)


def test_named_changes_are_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], spans: dict[str, Any]
) -> None:
    monkeypatch.setitem(SETS, "some", lambda: spans)
    assert main(["--write", str(tmp_path), "--sets", "some"]) == 0
    assert main(["--compare", str(tmp_path), "--sets", "some"]) == 0
    monkeypatch.setitem(SETS, "some", lambda: changed(spans, "logprobs.mean", nudge))
    assert main(["--compare", str(tmp_path), "--sets", "some"]) == 1
    assert "logprobs.mean: " in capsys.readouterr().out
    assert main(["--compare", str(tmp_path), "--sets", "some", "--allow", "logprobs.sum"]) == 1
    assert main(["--compare", str(tmp_path), "--sets", "some", "--allow", "logprobs.sum, logprobs.me*"]) == 0


def test_a_setting_shows() -> None:
    """The replay goes through the handler: with other thresholds the spans are others."""
    record = load_records("model")[0]
    usual, other = (
        Replayer(settings).replay(record.events()).spans for settings in (Settings(), Settings(low_probability=0.99))
    )
    differing = {name for name in usual[0] if usual[0][name] != other[0].get(name)}
    assert "logprobs.low_confidence.count" in differing
    assert "logprobs.tokens" not in differing


def test_documents_are_the_same_every_time_and_differ_from_each_other() -> None:
    numbers = (0, 17, COUNT - 1)
    once, again = ([repr(document(number)) for number in numbers] for _ in range(2))
    assert once == again
    assert len(set(once)) == len(numbers)


def test_what_is_recorded_comes_back() -> None:
    recorder = CallbackRecorder()
    message = AIMessageChunk(
        content="hé\ud83d", response_metadata={"logprobs": {"content": [{"logprob": float("-inf")}]}}
    )
    sent: Any = {
        "message": message, "pair": (1, b"\xff"), 5: {"$": "x"}, "error": TimeoutError("late"),
        "result": LLMResult(generations=[[ChatGeneration(message=AIMessage("a"), generation_info={"x": 0.1})]]),
    }  # fmt: skip
    recorder.on_custom_event("sent", sent, run_id=UUID(int=1))
    ((name, args, kwargs),) = recorder.record("one").events()
    error = args[1].pop("error")
    sent.pop("error")
    assert (name, args, kwargs) == ("on_custom_event", ("sent", sent), {"run_id": UUID(int=1)})
    assert (type(error).__name__, str(error)) == ("TimeoutError", "late")
    assert decode(json.loads(json.dumps(encode(sent)))) == sent


@pytest.fixture(scope="module")
def recorded() -> list[Answer]:
    return list(answers())


def test_answers_belong_to_their_spans(recorded: list[Answer]) -> None:
    names = [answer.name for answer in recorded]
    assert len(names) == len(set(names)) > 300
    complete = [
        answer for answer in recorded if answer.complete and answer.attributes()["logprobs.status"] == "recorded"
    ]
    assert len(complete) > 150
    for answer in complete:
        # Not the texts: Bedrock names tokens by number, and a handler takes their texts from the chunks.
        values = tuple(token.logprob for token in read_logprobs(answer.result)[0])
        assert values == answer.attributes()["logprobs.values"], answer.name


def test_there_are_answers_of_every_kind(recorded: list[Answer]) -> None:
    raw = [answer.include_raw for answer in recorded if answer.include_raw]
    assert len(raw) >= 10
    for each in raw:
        assert isinstance(each["raw"], AIMessage)
    assert any(each["parsed"] is not None and type(each["parsed"]).__name__ == "Review" for each in raw)
    assert sum(answer.schema is not None for answer in recorded) >= 10
    assert sum(bool(answer.tools) for answer in recorded) >= 4
    assert sum(answer.message is None for answer in recorded) >= 4
    assert sum(isinstance(answer.returned, AIMessageChunk) for answer in recorded) >= 20
    assert any(len(answer.result.generations[0]) == 3 for answer in recorded)
    assert sum(bool(getattr(answer.message, "tool_calls", None)) for answer in recorded) >= 3
    texts = "".join(answer.generation.text for answer in recorded)
    assert "ß" in texts or "ü" in texts
    assert any("\u4e00" <= char <= "\u9fff" for char in texts)
    assert any(char > "\U0001f000" for char in texts)
