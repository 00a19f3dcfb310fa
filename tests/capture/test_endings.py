"""Endings that are put off are done once each, in their order, by whoever comes first, and never without a bound."""

from __future__ import annotations

import contextvars
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from langchain_logprobs.capture.endings import Endings

MOST = 1_000


@contextmanager
def blocked(endings: Endings) -> Iterator[None]:
    """Keep the thread at an ending for as long as the block lasts."""
    reached, release = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        assert release.wait(60)

    endings.put(wait, 1, MOST)
    assert reached.wait(60)
    try:
        yield
    finally:
        release.set()


def test_they_are_done_in_their_order_by_one_other_thread() -> None:
    endings, done = Endings(), []

    def note(number: int) -> None:
        done.append((number, threading.current_thread().name))

    for number in range(500):
        endings.put(partial(note, number), 0, MOST)
    deadline = time.monotonic() + 60
    while len(done) < 500:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert done == [(number, "langchain-logprobs-endings") for number in range(500)]


def test_a_drain_does_what_waits_and_waits_for_what_is_being_done() -> None:
    endings = Endings()
    done: list[int] = []
    with blocked(endings):
        for number in range(5):
            endings.put(partial(done.append, number), 1, MOST)
        assert len(endings) == 5
        assert endings.drain(0.05) is False
        assert done == []
    assert endings.drain(60) is True
    assert (done, len(endings)) == ([0, 1, 2, 3, 4], 0)
    assert endings.drain(60) is True


def test_several_who_drain_at_once_keep_the_order() -> None:
    endings, done = Endings(), []

    def slowly(number: int) -> None:
        time.sleep(0.0001)
        done.append(number)

    with blocked(endings):
        for number in range(300):
            endings.put(partial(slowly, number), 1, MOST)
        threads = [threading.Thread(target=endings.drain, args=(60,)) for _ in range(4)]
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join()
    assert endings.drain(60)
    assert done == list(range(300))


def test_an_ending_has_the_context_of_whoever_put_it_off() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    endings, seen = Endings(), []

    def look() -> None:
        seen.append(variable.get())
        variable.set("changed")

    with blocked(endings):
        for text in ("one", "two"):
            token = variable.set(text)
            endings.put(look, 1, MOST)
            variable.reset(token)
    assert endings.drain(60)
    assert seen == ["one", "two"]
    assert variable.get() == "none"


def test_only_so_many_tokens_wait(caplog: pytest.LogCaptureFixture) -> None:
    endings, done = Endings(), []

    def put(name: str, tokens: int) -> bool:
        return endings.put(lambda: done.append(name), tokens, 100)

    with blocked(endings):  # which is one token
        assert put("fits", 90)
        assert not put("too much", 10)
        assert put("fits as well", 9)
        assert not put("one more", 1)
        assert endings.dropped == 2
        for _ in range(98):
            assert not put("again", 50)
    assert endings.drain(60)
    assert done == ["fits", "fits as well"]
    said = [record.getMessage() for record in caplog.records]
    assert [int(line.split()[1]) for line in said] == [1, 10, 100]
    assert all("over 100 tokens waited (Settings.max_deferred_tokens)" in line for line in said)
    assert put("large, alone", 5_000)
    assert endings.drain(60)
    assert done[-1] == "large, alone"


def test_one_that_fails_is_logged_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    endings, done = Endings(), []
    with blocked(endings):
        endings.put(lambda: [][0], 7, MOST)
        endings.put(lambda: done.append("next"), 1, MOST)
    assert endings.drain(60)
    assert done == ["next"]
    assert "IndexError" in caplog.text
    assert endings._tokens == 0


def test_an_ending_that_drains_does_not_wait_for_itself() -> None:
    endings, answers = Endings(), []
    with blocked(endings):
        endings.put(lambda: answers.append(endings.drain(60)), 1, MOST)
        endings.put(lambda: answers.append("next"), 1, MOST)
    assert endings.drain(60)
    assert answers == [False, "next"]


def test_one_that_puts_another_off() -> None:
    endings, done = Endings(), threading.Event()
    endings.put(lambda: endings.put(done.set, 1, MOST) and None, 1, MOST)
    assert done.wait(60)


def test_at_the_programs_end_each_is_done_at_once() -> None:
    endings, done = Endings(), []
    with blocked(endings):
        endings.put(lambda: done.append("before"), 1, MOST)
        closing = threading.Thread(target=endings.close)
        closing.start()
    closing.join()
    assert done == ["before"]
    endings.put(lambda: done.append(threading.current_thread()), 1, MOST)
    assert done[1] is threading.current_thread()


def test_an_exit_that_cannot_wait_says_what_is_lost(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langchain_logprobs.capture.endings.EXIT_SECONDS", 0.01)
    endings = Endings()
    with blocked(endings):
        endings.put(lambda: None, 1, MOST)
        endings.close()
        assert "1 model calls and steps were not recorded at exit" in caplog.text


def test_where_no_thread_can_be_started_they_are_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    endings, done = Endings(), []
    assert endings.put(lambda: done.append(threading.current_thread()), 1, MOST)
    assert done == [threading.current_thread()]


FORK = """
import os, sys, threading
from langchain_logprobs.capture.endings import endings

def wait():
    reached.set()
    release.wait(60)

reached, release = threading.Event(), threading.Event()
endings.put(wait, 1, 10)
reached.wait(60)
endings.put(lambda: print("the parent's", flush=True), 5, 10)
child = os.fork()
if child == 0:
    assert len(endings) == 0
    done = threading.Event()
    assert endings.put(lambda: print("the child's", flush=True), 10, 10)
    endings.put(done.set, 0, 10)
    assert done.wait(60)
    assert endings.drain(60)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
release.set()
assert endings.drain(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_does_its_own_and_the_parent_its_own() -> None:
    # Python 3.12 and later warn of a fork beside a thread.
    command = [sys.executable, "-W", "ignore", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["the child's", "the parent's"]
