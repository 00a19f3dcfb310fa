"""What a call has received: the chunks or the result, whichever holds more, and never both."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, GenerationChunk, LLMResult

from langchain_logprobs.capture.received import collect, container_of
from langchain_logprobs.confidence.inputs import Received, Told
from tests.support import entry

A, B, C, D = (entry(text, -0.5) for text in "abcd")


def content(*entries: Any) -> dict[str, Any]:
    return {"content": list(entries)}


def result(*choices: Sequence[Any] | None, text: str | None = None) -> LLMResult:
    """A result with these entries for each choice; None for a choice without logprobs."""
    made = []
    for entries in choices:
        known = "".join(each["token"] for each in entries or () if each in (A, B, C, D))
        info = None if entries is None else {"logprobs": content(*entries)}
        made.append(ChatGeneration(message=AIMessage(known if text is None else text), generation_info=info))
    return LLMResult(generations=[list(made)])


def pieces(*chunks: tuple[Any, Any]) -> list[Any]:
    """Token callbacks at 10, 11, ... ns, with a text and a container."""
    return [item for at, (text, container) in enumerate(chunks) for item in (10 + at, text, container)]


def texts(received: Received) -> list[list[str]]:
    return [choice.reading.tokens.texts for choice in received.choices]


STREAM = pieces(("", None), ("a", content(A)), ("b", content(B)))


@pytest.mark.parametrize("flag", [True, False, 0, 5], ids=repr)
@pytest.mark.parametrize("key", ["logprobs", "log_probs"])
def test_a_request_s_parameter_is_no_container(flag: object, key: str) -> None:
    # LiteLLM's router hands on the request's own `logprobs=True`, or the number of alternatives.
    assert container_of(None, {key: flag}) is None
    chunk = ChatGenerationChunk(message=AIMessageChunk(content="a"))
    assert container_of(chunk, {key: flag}) is None


def test_a_stream_with_the_request_s_parameter_beside_it_is_read_whole() -> None:
    received = collect(pieces(("", container_of(None, {"logprobs": 5})), ("a", content(A))), None)
    assert (texts(received), received.choices[0].reading.malformed) == ([["a"]], 0)


def test_where_a_container_stands() -> None:
    own, other = content(A), content(B)
    assert container_of(GenerationChunk(text="a", generation_info={"logprobs": own}), {"logprobs": other}) is own
    in_message = ChatGenerationChunk(message=AIMessageChunk(content="a", response_metadata={"logprobs": own}))
    assert container_of(in_message, {}) is own
    assert container_of(ChatGenerationChunk(message=AIMessageChunk(content="a")), {"log_probs": other}) is other
    assert container_of(None, {"logprobs": own, "log_probs": other}) is own
    assert container_of(None, {}) is None


def test_the_chunks_where_the_result_has_as_much_or_less() -> None:
    for answer in (result([A, B]), result([B]), result(None), result([])):
        received = collect(STREAM, answer)
        choice = received.choices[0]
        assert texts(received) == [["a", "b"]]
        assert (choice.chunks.times, choice.chunks.starts, choice.chunks.end) == ([11, 12], [0, 1], 2)
        assert choice.generation is answer.generations[0][0]
        assert choice.text == answer.generations[0][0].text
        assert received.first_chunk_time == 10
        assert received.first_token_time == 11


def test_the_result_where_it_has_more_and_then_the_rest_came_with_the_last_chunk() -> None:
    received = collect(STREAM, result([A, B, C, D]))
    choice = received.choices[0]
    assert texts(received) == [["a", "b", "c", "d"]]
    assert (choice.chunks.times, choice.chunks.starts, choice.chunks.end) == ([11, 12], [0, 1], 4)


@pytest.mark.parametrize("broken", [5, {}, {"token": 7}])
def test_a_result_that_only_seems_to_have_more_keeps_what_the_chunks_said(broken: Any) -> None:
    # Three entries, of which two can be read: no more than arrived, and the chunks say which of them is reasoning.
    thought = AIMessageChunk(content="", additional_kwargs={"reasoning_content": "a"})
    stream = pieces((ChatGenerationChunk(message=thought), content(A)), ("b", content(B)))
    received = collect(stream, result([A, B, broken], text="b"))
    choice = received.choices[0]
    assert texts(received) == [["a", "b"]]
    assert choice.told == [Told("reasoning", 0, 1)]
    assert (choice.reading.malformed, choice.reading.problem is not None) == (1, True)


def test_only_as_much_of_a_broken_result_is_taken_as_is_more() -> None:
    received = collect(STREAM, result([A, B, C, 5]))
    assert texts(received) == [["a", "b", "c"]]
    assert received.choices[0].reading.malformed == 1


def test_no_result_at_all() -> None:
    for nothing in (None, SimpleNamespace(generations=None), SimpleNamespace(generations=[]), "x", 5):
        received = collect(STREAM, nothing)  # type: ignore[arg-type]
        assert texts(received) == [["a", "b"]]
        assert received.choices[0].text == "ab"
    empty = collect([], None)
    assert texts(empty) == [[]]
    assert (empty.first_chunk_time, empty.first_token_time, empty.lost, empty.choices[0].text) == (
        None,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("times", [1, 2, 3])
def test_callbacks_that_are_delivered_several_times_count_once(times: int) -> None:
    repeated = [item for at in range(0, len(STREAM), 3) for _ in range(times) for item in STREAM[at : at + 3]]
    received = collect(repeated, None, deliveries=times)
    assert texts(received) == [["a", "b"]]
    assert received.choices[0].chunks.times == [11, 12]


def test_the_chunks_of_several_choices_cannot_be_told_apart() -> None:
    mixed = pieces(("a", content(A)), ("c", content(C)), ("b", content(B)))
    known = collect(mixed, result([A, B], [C]), expected_choices=2)
    assert texts(known) == [["a", "b"], ["c"]]
    assert known.lost is None
    answer = result(None, None, text="ab")
    unknown = collect(mixed, answer, expected_choices=2)
    assert texts(unknown) == [["a", "c", "b"], []]
    assert [choice.generation for choice in unknown.choices] == answer.generations[0]
    assert [choice.text for choice in unknown.choices] == ["ab", "ab"]
    assert "which choice" in str(unknown.lost)
    early = collect(mixed, None, expected_choices=2)
    assert texts(early) == [["a", "c", "b"]]
    assert "which choice" in str(early.lost)
    one = collect(mixed, result([A, B]), expected_choices=2)
    assert "which choice" in str(one.lost)


def test_dropped_chunks_are_said() -> None:
    received = collect(STREAM, None, dropped_pieces=4)
    assert received.lost == "4 chunks came after the first 3 (Settings.max_chunks)"
    assert collect(STREAM, None).lost is None


def test_chunks_of_any_shape_keep_their_times() -> None:
    # A bare float a chunk (Together) is not read together with the rest, nor are empty containers.
    stream = pieces(("a", -0.5), ("", None), ("", content()), ("bc", content(B, C)), ("d", {"content": [5, D]}))
    choice = collect(stream, None).choices[0]
    assert choice.reading.tokens.texts == ["a", "b", "c", "d"]
    assert (choice.chunks.times, choice.chunks.starts, choice.chunks.end) == ([10, 13, 14], [0, 1, 3], 4)
    assert choice.reading.malformed == 1


def test_what_chunks_without_a_text_brought() -> None:
    def chunk(**message: Any) -> ChatGenerationChunk:
        return ChatGenerationChunk(message=AIMessageChunk(content="", **message))

    part = {"name": "f", "args": "{", "id": "1", "index": 0, "type": "tool_call_chunk"}
    stream = pieces(
        (chunk(additional_kwargs={"reasoning_content": "a"}), content(A)),
        ([{"type": "reasoning", "reasoning": "b"}], content(B)),
        ([{"type": "text", "text": "c"}], content(C)),
        (chunk(tool_call_chunks=[part]), content(D)),
        (chunk(), content(A)),
        ("a", content(A)),
    )
    choice = collect(stream, None).choices[0]
    reasoning = [Told("reasoning", 0, 1), Told("reasoning", 1, 2)]
    assert choice.told == [*reasoning, Told("tool_call", 3, 4), Told("nothing", 4, 5)]
    assert choice.reading.tokens.texts == ["a", "b", "c", "d", "a", "a"]
