"""What one model call has received: raw logprob containers with their arrival times, read once, when the run ends."""

from __future__ import annotations

from itertools import accumulate, compress
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from langchain_logprobs.confidence.inputs import Choice, Chunks, Received, Told, container_in
from langchain_logprobs.formats.answer import find_container
from langchain_logprobs.formats.carrying import Carrying
from langchain_logprobs.formats.entries import Reading
from langchain_logprobs.formats.generation import is_of_tool_call, reasoning_of_piece, text_of_piece
from langchain_logprobs.formats.read import read_container, read_together, size_of

if TYPE_CHECKING:
    from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult


Pieces: TypeAlias = list[Any]
"""The calls of the token callback, stored as they came, three items for each: its arrival (nanoseconds since the
epoch), its text, its raw logprob container (None where it brought none).

In the place of the text stand the content blocks that some integrations send, or the chunk where the text is empty:
its message then says whether it brought reasoning or a part of a tool call.

One flat list: a tuple for each would take nearly twice the memory, and the garbage collector would look at it.
"""

ITEMS_A_PIECE = 3

_CHANGED = ("content", "response_metadata", "additional_kwargs", "tool_calls")
"""What a program changes in place in a message that it got; where it sets a text anew, the old one is ours."""


def container_of(chunk: GenerationChunk | ChatGenerationChunk | None, keywords: dict[str, Any]) -> Any:
    """Return the raw logprob container that one token callback carries, None where it carries none.

    It is in the chunk's generation_info; else in its message's response_metadata (Bedrock); else in the callback's
    keywords, for integrations that pass no chunk there (community LlamaCpp calls it `log_probs`).
    """
    if chunk is not None:
        container = find_container(chunk.generation_info, getattr(chunk, "message", None))
        if container is not None:
            return container
    container = keywords.get("logprobs")
    if container is None:
        container = keywords.get("log_probs")
    # LiteLLM's router hands on the request's own parameter, which is a flag or a number of alternatives.
    return None if isinstance(container, int) else container


def has_metadata(chunk: object) -> bool:
    """Tell whether a chunk has anything beside the items of its generation_info that could hold a container."""
    message = getattr(chunk, "message", None)  # a completion model's chunk has none
    return (
        bool(getattr(message, "response_metadata", None) or getattr(message, "additional_kwargs", None))
        # It is empty where logprobs, which it has beside its items, were all that the model sent.
        or type(getattr(chunk, "generation_info", None)) is Carrying
    )


def collect(
    pieces: Pieces,
    response: LLMResult | None,
    *,
    deliveries: int = 1,
    expected_choices: int = 1,
    dropped_pieces: int = 0,
) -> Received:
    """Read what a run has received.

    The run's result is the whole answer, unless the chunks hold more of it: LangChain's streaming v3 keeps only the
    last token's logprobs there, and a run that ended early may have none. They are never added together.

    Args:
        pieces: The token callbacks, in order.
        response: What the run ended with, None where it ended without a result.
        deliveries: How often each token callback was delivered, one time after the other.
        expected_choices: How many answers were asked for (`n`).
        dropped_pieces: How many token callbacks came after the limit on their number.

    Returns:
        The choices with their tokens.
    """
    generations = _generations(response)
    times, texts, containers = (pieces[item :: ITEMS_A_PIECE * deliveries] for item in range(ITEMS_A_PIECE))
    streamed = _read_pieces(times, texts, containers)
    interleaved = bool(streamed.reading.tokens) and (len(generations) > 1 or expected_choices > 1)
    choices = [_choice(generation, None if interleaved else streamed) for generation in generations[:1]]
    choices += [Choice.of(generation) for generation in generations[1:]]
    if not choices or (interleaved and not any(choice.reading.tokens for choice in choices)):
        # n > 1: the chunks carry no index of their choice, so that they cannot be told apart; or there is no result.
        if choices:
            _take_over(streamed, choices[0])
        choices = [streamed, *choices[1:]]
    if choices[0] is streamed and streamed.text is None:
        streamed.text = "".join(map(text_of_piece, texts)) or None
    lost = None
    if interleaved and (choices[0] is streamed or len(generations) < expected_choices):
        lost = "the chunks of several choices came without saying which choice they belong to"
    elif dropped_pieces:
        lost = f"{dropped_pieces} chunks came after the first {len(times)} (Settings.max_chunks)"
    return Received(choices, lost, first_chunk_time=times[0] if times else None)


class KeptGeneration(NamedTuple):
    """An answer as LangChain's Generation has it, of which nothing is the program's."""

    text: str
    generation_info: Any
    message: Any


class KeptResult(NamedTuple):
    """A result as LangChain's LLMResult has it."""

    generations: list[list[Any]]
    llm_output: Any


def kept(response: LLMResult | None) -> Any:
    """Return a result that stays as it is while the program goes on with its message, and takes the logprobs off it."""
    generations = _generations(response)
    try:
        copies = [_kept_generation(each) for each in generations]
    except Exception:  # an object of somebody's own in its place
        return response
    return KeptResult([copies], getattr(response, "llm_output", None)) if copies else response


def _kept_generation(generation: Any) -> KeptGeneration:
    message = getattr(generation, "message", None)
    if message is not None:
        values = [(name, getattr(message, name, None)) for name in _CHANGED]
        changed = {name: value.copy() for name, value in values if isinstance(value, (dict, list))}
        message = message.model_copy(update=changed)
    return KeptGeneration(generation.text, generation.generation_info, message)


def tokens_held(pieces: Pieces | None, response: LLMResult | None) -> int:
    """Return about how many tokens a run holds on to until it is read, at least one."""
    if pieces:
        return len(pieces) // ITEMS_A_PIECE
    try:
        return sum(size_of(container_in(generation)) for generation in _generations(response)) or 1
    except Exception:  # a container of somebody's own; it is said when it is read
        return 1


def _generations(response: LLMResult | None) -> list[Any]:
    """Return the answers of a result. Error callbacks pass anything from no list at all to a merged partial answer."""
    generations = getattr(response, "generations", None)
    first = generations[0] if isinstance(generations, list) and generations else None
    return list(first) if isinstance(first, list) else []


def _read_pieces(times: list[int], texts: list[Any], containers: list[Any]) -> Choice:
    brought = [container is not None for container in containers]
    together = read_together([*compress(containers, brought)])
    if together is not None:
        reading, sizes = together
        times, texts = [*compress(times, brought)], [*compress(texts, brought)]
    else:
        reading, sizes = Reading(), []
        for text, container in zip(texts, containers, strict=True):
            before = len(reading.tokens)
            read_container(container, reading, str(text) if isinstance(text, str) else None)
            sizes.append(len(reading.tokens) - before)
    if 0 in sizes:
        times, texts, sizes = ([*compress(items, sizes)] for items in (times, texts, sizes))
    starts = [0, *accumulate(sizes)]
    chunks = Chunks(times, starts[:-1], starts[-1])
    return Choice(reading, told=_told(texts, starts), chunks=chunks)


def _told(texts: list[Any], starts: list[int]) -> list[Told]:
    """Return what the chunks say of their tokens: those with an answer's text say nothing."""
    told: list[Told] = []
    if all(issubclass(kind, str) for kind in set(map(type, texts))) and all(texts):
        return told
    for index, text in enumerate(texts):
        if isinstance(text, str) or text_of_piece(text):
            continue
        if reasoning_of_piece(text):
            told.append(Told("reasoning", starts[index], starts[index + 1]))
        elif is_of_tool_call(text):
            told.append(Told("tool_call", starts[index], starts[index + 1]))
        else:
            told.append(Told("nothing", starts[index], starts[index + 1]))
    return told


def _choice(generation: Any, streamed: Choice | None) -> Choice:
    """Return the choice as the result has it, or as it was streamed where that holds at least as much."""
    container = container_in(generation)
    arrived = 0 if streamed is None else len(streamed.reading.tokens)
    reading = Reading()
    if not arrived or size_of(container) > arrived:
        read_container(container, reading)
    choice = Choice.of(generation, reading)
    if streamed is not None and arrived and len(reading.tokens) <= arrived:
        if reading.problem is not None:
            streamed.reading.reject(reading.problem)
        _take_over(streamed, choice)
        return streamed
    if streamed is not None and streamed.chunks:
        # The result holds more than the chunks brought: the rest arrived, at the latest, with the last chunk.
        choice.chunks = Chunks(streamed.chunks.times, streamed.chunks.starts, len(reading.tokens))
    return choice


def _take_over(streamed: Choice, result: Choice) -> None:
    """Give what was streamed all that the result knows of the answer, but for its tokens."""
    streamed.text = result.text
    streamed.reasoning_text = result.reasoning_text
    streamed.tool_calls = result.tool_calls
    streamed.cached = result.cached
    streamed.generation = result.generation
