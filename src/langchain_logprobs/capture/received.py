"""What one model call has received: raw logprob containers with their arrival times, read once, when the run ends."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate, compress
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_logprobs.formats.answer import find_container
from langchain_logprobs.formats.entries import Reading
from langchain_logprobs.formats.read import read_container, read_together, size_of

if TYPE_CHECKING:
    from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult


Pieces: TypeAlias = list[Any]
"""The calls of the token callback, stored as they came, three items for each: its arrival (nanoseconds since the
epoch), its text (or the content blocks that some integrations send in its place), its raw logprob container (None where
it brought none).

One flat list: a tuple for each would take nearly twice the memory, and the garbage collector would look at it.
"""

ITEMS_A_PIECE = 3


@dataclass(slots=True)
class Chunks:
    """When the tokens of an answer arrived: the chunks that brought any, in order. They tile the tokens.

    Attributes:
        times: Their arrivals (nanoseconds since the epoch).
        starts: Index of the first token that each brought.
        end: Index behind the last token of the last one.
    """

    times: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    end: int = 0

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.times)

    def start_of(self, chunk: int) -> int:
        """Return the index of a chunk's first token; of the chunk behind the last one, the end."""
        return self.starts[chunk] if chunk < len(self.starts) else self.end

    def time_of(self, token: int, default: int) -> int:
        """Return when a token arrived (nanoseconds since the epoch); `default` where nothing was streamed."""
        return self.times[max(0, bisect_right(self.starts, token) - 1)] if self.times else default


@dataclass(slots=True)
class Choice:
    """One answer of a model call: its tokens as they were read, the chunks they came in, and its text.

    Attributes:
        reading: The tokens, and what of them could not be read.
        chunks: The chunks that its tokens came in; empty where nothing was streamed.
        text: The answer's text; None where it is unknown (the run ended without a result).
        generation: The answer as LangChain's Generation; None where the run ended without a result.
    """

    reading: Reading
    chunks: Chunks = field(default_factory=Chunks)
    text: str | None = None
    generation: Any = None


@dataclass(slots=True)
class Captured:
    """Everything that a model call brought.

    Attributes:
        choices: One for each answer, at least one.
        lost: Why some logprobs are known to be lost; None where nothing points to that.
        first_chunk_time: Arrival of the first chunk (nanoseconds since the epoch); None where nothing was streamed.
    """

    choices: list[Choice]
    lost: str | None = None
    first_chunk_time: int | None = None


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


def collect(
    pieces: Pieces,
    response: LLMResult | None,
    *,
    deliveries: int = 1,
    expected_choices: int = 1,
    dropped_pieces: int = 0,
) -> Captured:
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
    choices += [_choice(generation, None) for generation in generations[1:]]
    if not choices or (interleaved and not any(choice.reading.tokens for choice in choices)):
        # Nothing but the chunks is left.
        if choices:
            streamed.text, streamed.generation = choices[0].text, choices[0].generation
        choices = [streamed, *choices[1:]]
    if choices[0] is streamed and streamed.text is None:
        # Under streaming v3 some integrations pass LangChain's own kind of str.
        streamed.text = "".join([text for text in texts if isinstance(text, str)]) or None
    lost = None
    if interleaved and (choices[0] is streamed or len(generations) < expected_choices):
        lost = "the chunks of several choices came without saying which choice they belong to"
    elif dropped_pieces:
        lost = f"{dropped_pieces} chunks came after the first {len(times)} (Settings.max_chunks)"
    return Captured(choices, lost, times[0] if times else None)


def _generations(response: LLMResult | None) -> list[Any]:
    """Return the answers of a result. Error callbacks pass anything from no list at all to a merged partial answer."""
    generations = getattr(response, "generations", None)
    first = generations[0] if isinstance(generations, list) and generations else None
    return list(first) if isinstance(first, list) else []


def _read_pieces(times: list[int], texts: list[Any], containers: list[Any]) -> Choice:
    together = read_together([container for container in containers if container is not None])
    if together is not None:
        reading, sizes = together
        times = [time for time, container in zip(times, containers, strict=True) if container is not None]
    else:
        reading, sizes = Reading(), []
        for text, container in zip(texts, containers, strict=True):
            before = len(reading.tokens)
            read_container(container, reading, str(text) if isinstance(text, str) else None)
            sizes.append(len(reading.tokens) - before)
    if 0 in sizes:
        times, sizes = [*compress(times, sizes)], [*filter(None, sizes)]
    starts = [0, *accumulate(sizes)]
    return Choice(reading, Chunks(times, starts[:-1], starts[-1]))


def _choice(generation: Any, streamed: Choice | None) -> Choice:
    """Return the choice as the result has it, or as it was streamed where that holds at least as much."""
    container = find_container(getattr(generation, "generation_info", None), getattr(generation, "message", None))
    text = _text_of(generation)
    arrived = 0 if streamed is None else len(streamed.reading.tokens)
    reading = Reading()
    if not arrived or size_of(container) > arrived:
        read_container(container, reading)
    if streamed is not None and arrived and len(reading.tokens) <= arrived:
        if reading.problem is not None:
            streamed.reading.reject(reading.problem)
        streamed.text = text
        streamed.generation = generation
        return streamed
    choice = Choice(reading, text=text, generation=generation)
    if streamed is not None and streamed.chunks:
        # The result holds more than the chunks brought: the rest arrived, at the latest, with the last chunk.
        choice.chunks = Chunks(streamed.chunks.times, streamed.chunks.starts, len(reading.tokens))
    return choice


def _text_of(generation: Any) -> str | None:
    """Return an answer's text: its content, or the refusal that stands in for it."""
    text = getattr(generation, "text", None)
    if isinstance(text, str) and text:
        return str(text)
    extra = getattr(getattr(generation, "message", None), "additional_kwargs", None)
    refusal = extra.get("refusal") if isinstance(extra, dict) else None
    return refusal if isinstance(refusal, str) and refusal else None
