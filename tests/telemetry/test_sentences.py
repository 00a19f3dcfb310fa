"""The answer in a line, with its unsure places spelled out."""

from __future__ import annotations

from langchain_logprobs.telemetry.sentences import Passage, Place


def passage(text: str, *places: tuple[int, int, str, float]) -> Passage:
    return Passage(text, [Place(*place) for place in places], False)


def test_a_short_answer_stands_whole() -> None:
    assert passage("It is 5.", (6, 7, "5 .41", 0.41)).line() == "It is [5 .41]."


def test_a_long_answer_stands_as_the_surroundings_of_its_places() -> None:
    text = "a" * 100 + "X" + "b" * 200 + "Y" + "c" * 100
    line = passage(text, (100, 101, "X .2", 0.2), (301, 302, "Y .3", 0.3)).line(limit=250)
    assert line == f"… {'a' * 40}[X .2]{'b' * 40} … {'b' * 40}[Y .3]{'c' * 40} …"


def test_surroundings_that_meet_are_not_cut() -> None:
    text = "X" + "b" * 60 + "Y" + "c" * 500
    line = passage(text, (0, 1, "X .2", 0.2), (61, 62, "Y .3", 0.3)).line(limit=200)
    assert line == f"[X .2]{'b' * 60}[Y .3]{'c' * 40} …".replace("b" * 60, "b" * 40 + "b" * 20)


def test_over_the_limit_the_surest_places_go_first() -> None:
    text = "".join(f"{'a' * 99}{digit}" for digit in "1234")
    places = [(99 + 100 * at, 100 + 100 * at, f"{at} .{rank}", rank / 10) for at, rank in enumerate((3, 1, 4, 2))]
    line = passage(text, *places).line(limit=200)
    assert "[1 .1]" in line
    assert "[3 .2]" in line
    assert "[2 .4]" not in line
    assert len(line) <= 200
    assert passage(text, *places).line(limit=30) == f"… {'a' * 28}"


def test_a_long_sure_answer_is_cut_and_says_that_it_is_sure() -> None:
    line = Passage("a" * 2_000, [], True).line(limit=100)
    assert line == f"{'a' * 80} … (sure throughout)"
    assert len(line) == 100
    assert Passage("a" * 50, [], False).line(limit=50) == "a" * 50
    assert Passage("a" * 51, [], False).line(limit=50) == f"{'a' * 48} …"
