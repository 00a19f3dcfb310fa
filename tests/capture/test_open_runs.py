"""The open runs by themselves: who is whose parent, which are closed for others, what is remembered of the ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from uuid import UUID

import pytest

from langchain_logprobs.capture import runs as runs_module
from langchain_logprobs.capture.reaper import Reaper
from langchain_logprobs.capture.runs import OpenRuns, Run

SECOND = 1_000_000_000
LATER = time.time_ns() + 1_000_000 * SECOND  # the reaper's thread finds nothing too old here


@pytest.fixture(autouse=True)
def _reaper_keeps_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "reaper", Reaper(grace_seconds=600.0))


class Owner:
    """Notes which runs it had to end, and why."""

    def __init__(self) -> None:
        self.ended: list[tuple[int, str]] = []

    def abandon(self, run: Run, reason: str) -> None:
        self.ended.append((run.key, reason))


class Runs:
    """Open runs that are numbered. Their ids live as long as this does, as those of LangChain's run managers do."""

    def __init__(self) -> None:
        self.runs, self.owner = OpenRuns(), Owner()
        self.ids: dict[int, UUID] = {}
        self.max_calls, self.max_age = 1_000, 3_600.0

    def start(self, number: int, parent: int | None = None, *, is_call: bool = False, at: int | None = None) -> Run:
        run_id = self.ids.setdefault(number, UUID(int=number))
        above = None if parent is None else self.runs.find(self.ids[parent])
        run = Run(run_id, above, LATER if at is None else at, None)
        run.owner = self.owner
        self.runs.open(run, run_id, is_call=is_call, max_calls=self.max_calls, max_age_seconds=self.max_age)
        return run

    def end(self, number: int) -> Run | None:
        return self.runs.end(self.ids.get(number, UUID(int=number)))

    def open(self) -> list[int]:
        return [number for number in self.ids if self.runs.find(self.ids[number]) is not None]


def test_a_run_is_found_until_it_ends_and_ends_once() -> None:
    made = Runs()
    run = made.start(1)
    assert made.runs.find(UUID(int=1)) is run is made.runs.get(1)
    assert (len(made.runs), made.runs.was_ended(UUID(int=1))) == (1, False)
    assert made.end(1) is run
    assert made.end(1) is None
    assert (len(made.runs), made.runs.was_ended(UUID(int=1))) == (0, True)
    assert made.runs.find(None) is None
    assert made.owner.ended == []


def test_children_that_have_ended_are_let_go_by_a_parent_that_goes_on() -> None:
    made = Runs()
    parent = made.start(1)
    for number in range(2, 50):
        child = made.start(number, 1)
        assert parent.children == {number: child}
        made.end(number)
        assert parent.children == {}
    assert made.open() == [1]


def test_what_is_below_a_run_that_ends_is_closed_the_innermost_first() -> None:
    made = Runs()
    for number, parent in ((1, None), (2, 1), (3, 2), (4, 1), (5, None)):
        made.start(number, parent)
    made.end(1)
    assert [number for number, _ in made.owner.ended] == [3, 4, 2]
    assert {reason for _, reason in made.owner.ended} == {"abandoned: its parent ended first"}
    assert made.open() == [5]
    assert all(made.runs.was_ended(UUID(int=number)) for number in (1, 2, 3, 4))


def test_a_deep_tree_is_closed_without_recursion() -> None:
    made = Runs()
    for number in range(1, 3_001):
        made.start(number, number - 1 or None)
    made.end(1)
    assert len(made.owner.ended) == 2_999
    assert made.owner.ended[0][0] == 3_000
    assert len(made.runs) == 0


def test_the_oldest_calls_are_closed_for_new_ones(caplog: pytest.LogCaptureFixture) -> None:
    made = Runs()
    made.max_calls = 3
    made.start(1)  # no call: it does not count
    for number in range(2, 7):
        made.start(number, 1, is_call=True)
    assert made.open() == [1, 4, 5, 6]
    why = "abandoned: over 3 model calls were open (Settings.max_open_calls)"
    assert made.owner.ended == [(2, why), (3, why)]
    assert len(caplog.records) == 1  # said once


def test_of_other_runs_ten_times_as_many_may_be_open() -> None:
    made = Runs()
    made.max_calls = 2
    for number in range(1, 23):
        made.start(number)
    assert made.open() == list(range(3, 23))
    assert made.owner.ended[0] == (1, "abandoned: over 20 runs were open (10 times Settings.max_open_calls)")


def test_runs_that_are_too_old_are_closed_by_the_next_one() -> None:
    made = Runs()
    made.max_age = 5.0
    made.start(1, at=LATER)
    made.start(2, at=LATER + 3 * SECOND)
    made.start(3, at=LATER + 5 * SECOND)  # just as old as is allowed
    assert made.open() == [1, 2, 3]
    made.start(4, at=LATER + 5 * SECOND + 1)
    assert made.open() == [2, 3, 4]
    made.runs.close_expired(LATER + 8 * SECOND)
    assert made.open() == [2, 3, 4]
    made.runs.close_expired(LATER + 8 * SECOND + 1)
    assert made.open() == [3, 4]
    assert {reason for _, reason in made.owner.ended} == {"abandoned: open for longer than Settings.max_run_seconds"}


def test_all_are_closed_the_newest_first() -> None:
    made = Runs()
    for number, parent in ((1, None), (2, 1), (3, None)):
        made.start(number, parent)
    made.runs.close_all("abandoned: the handler was closed")
    assert [number for number, _ in made.owner.ended] == [3, 2, 1]
    assert len(made.runs) == 0


def test_an_ignored_run_counts_as_ended() -> None:
    made = Runs()
    made.ids[1] = UUID(int=1)
    made.runs.ignore(made.ids[1])
    assert made.runs.was_ended(UUID(int=1))
    assert len(made.runs) == 0


def test_the_last_forgotten_ends_are_remembered_and_the_oldest_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "_REMEMBERED_ENDS", 3)
    made = Runs()
    for number in range(1, 8):
        made.start(number)
        made.end(number)
        assert made.runs.was_ended(UUID(int=number))
    # LangChain still holds their ids, so each of them may still be reported from.
    assert all(made.runs.was_ended(UUID(int=number)) for number in range(1, 8))
    for number in range(1, 8):
        del made.ids[number]
        made.runs.forget(number)
    assert [number for number in range(1, 8) if made.runs.was_ended(UUID(int=number))] == [5, 6, 7]


def test_an_end_whose_id_was_rebuilt_is_remembered_among_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "_REMEMBERED_ENDS", 2)
    made = Runs()
    for number in (1, 2, 3):
        made.start(number)
        del made.ids[number]  # the run's own UUID object is gone before it ends
        assert made.end(number) is not None
    assert [number for number in (1, 2, 3) if made.runs.was_ended(UUID(int=number))] == [2, 3]


def test_of_very_many_ends_the_first_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "_MOST_ENDS", 4)
    made = Runs()
    for number in range(1, 8):
        made.start(number)
        made.end(number)
    assert [number for number in range(1, 8) if made.runs.was_ended(UUID(int=number))] == [4, 5, 6, 7]


def test_a_silent_run_is_closed_and_one_that_receives_is_not() -> None:
    made = Runs()
    run = made.start(1)
    del made.ids[1]
    assert made.runs.forget(1) == 0
    run.pieces = [1, "a", None]
    assert made.runs.forget(1) == 3
    assert made.runs.close_if_silent(1, 0) == 3
    assert made.runs.get(1) is run
    assert made.runs.close_if_silent(1, 3) is None
    assert made.owner.ended == [(1, "abandoned: LangChain reported no end")]
    assert made.runs.close_if_silent(1, 3) is None
    assert made.runs.forget(1) is None


def test_a_run_is_not_closed_for_an_earlier_one_with_the_same_id() -> None:
    made = Runs()
    made.start(1)
    del made.ids[1]
    assert made.runs.forget(1) == 0  # from here on it is waited whether it receives anything
    made.end(1)
    later = made.start(1)
    assert made.runs.close_if_silent(1, 0) is None
    assert made.runs.forget(1) is None
    assert made.runs.get(1) is later
    assert made.owner.ended == []


FORK = """
import logging, os, signal, sys, threading
from uuid import uuid4
from langchain_logprobs import LogprobsCallbackHandler
from langchain_logprobs.capture.reaper import reaper
from opentelemetry.sdk.trace import TracerProvider

logging.getLogger("langchain_logprobs").setLevel(logging.ERROR)  # that these spans go nowhere is not the subject
handler = LogprobsCallbackHandler(tracer_provider=TracerProvider())
first, second = uuid4(), uuid4()
handler.on_chat_model_start({}, [[]], run_id=first)
held, forked = threading.Event(), threading.Event()

def hold():
    with handler._runs._lock, reaper._lock:
        held.set()
        forked.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(60)  # a deadlock ends here
    assert handler.open_runs == 0
    handler.on_chat_model_start({}, [[]], run_id=second)
    handler.on_llm_end(None, run_id=second)
    assert handler.open_runs == 0
    assert reaper._thread.is_alive()
    os._exit(0)
forked.set()
thread.join()
assert os.waitpid(child, 0)[1] == 0, "the child hung or failed"
assert handler.open_runs == 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_child_that_is_forked_while_other_threads_hold_our_locks_does_not_hang() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
