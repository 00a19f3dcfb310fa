"""What a report is made of: what a model call received, and what had been asked of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from langchain_logprobs.confidence.fields.schema import to_json_schema
from langchain_logprobs.confidence.fields.schema_in_request import schema_from_request, tool_schemas_from_request
from langchain_logprobs.formats.answer import find_container
from langchain_logprobs.formats.entries import Reading
from langchain_logprobs.formats.generation import is_cached, reasoning_of, text_of, tool_calls_of
from langchain_logprobs.formats.read import read_container


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


class Told(NamedTuple):
    """What the chunk that carried some tokens says of them: chunks of reasoning and of tool calls have no text.

    Attributes:
        kind: Whether the tokens are of a reasoning text or of a tool call; `nothing` where the chunk has neither of
            these, nor a text: langchain-openai leaves out the reasoning of servers that are not OpenAI's, and others
            hold a text back until they have read more of it.
        start: Index of the first of them.
        end: Index behind the last one.
    """

    kind: Literal["reasoning", "tool_call", "nothing"]
    start: int
    end: int


@dataclass(slots=True)
class Choice:
    """One answer of a model call.

    Attributes:
        reading: The tokens, and what of them could not be read.
        text: The answer's text; empty where it has none, None where it is unknown (the run ended without a result).
        reasoning_text: The reasoning text that came apart from the answer's; empty where none came.
        tool_calls: LangChain's tool calls.
        told: What is known of single tokens from the chunks that they came in.
        chunks: The chunks that its tokens came in; empty where nothing was streamed.
        cached: Whether it came out of LangChain's cache.
        generation: The answer as LangChain's Generation; None where the run ended without a result.
    """

    reading: Reading
    text: str | None = None
    reasoning_text: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    told: Sequence[Told] = ()
    chunks: Chunks = field(default_factory=Chunks)
    cached: bool = False
    generation: Any = None

    @classmethod
    def of(cls, generation: Any, reading: Reading | None = None) -> Choice:
        """Return what a Generation or a message holds.

        Args:
            generation: It; None for nothing at all.
            reading: Its tokens, where they are known from elsewhere; None to read them from it.
        """
        if reading is None:
            reading = Reading()
            read_container(container_in(generation), reading)
        return cls(
            reading,
            text_of(generation),
            reasoning_of(generation),
            tool_calls_of(generation),
            cached=is_cached(generation),
            generation=generation,
        )


def container_in(generation: Any) -> Any:
    """Return the raw logprobs container of a Generation or a message; None where there is none."""
    message = getattr(generation, "message", None)
    if message is None and hasattr(generation, "response_metadata"):
        return find_container(None, generation)
    return find_container(getattr(generation, "generation_info", None), message)


@dataclass(slots=True)
class Received:
    """Everything that a model call brought.

    Attributes:
        choices: One for each answer, at least one.
        lost: Why some logprobs are known to be lost; None where nothing points to that.
        failed: Why the run ended with an error, or because its consumer stopped; None where it did not.
        abandoned: Why it was ended for it; None where it ended by itself.
        refused: Whether the provider refused the request because it asks for logprobs.
        first_chunk_time: Arrival of the first chunk (nanoseconds since the epoch); None where nothing was streamed.
        without_chunks: Whether it was streamed and LangChain got the text alone, no chunks.
    """

    choices: list[Choice]
    lost: str | None = None
    failed: str | None = None
    abandoned: str | None = None
    refused: bool = False
    first_chunk_time: int | None = None
    without_chunks: bool = False

    @property
    def first_token_time(self) -> int | None:
        """Arrival of the first chunk with a token (nanoseconds since the epoch); None where nothing was streamed."""
        times = self.choices[0].chunks.times
        return times[0] if times else None


Drops = Literal["always", "streamed", "without chunks"]
"""On which calls an integration drops logprobs: on all; where it streams; or where it streams and hands LangChain no
chunks, as under streaming v3."""


@dataclass(slots=True)
class Asked:
    """What was asked of a model, as far as a report depends on it.

    Attributes:
        logprobs: Whether logprobs were asked for, in the request or on the constructor.
        to_bind: What to bind to the model, where the constructor has a flag that its class does not send; empty where
            that would not help either, None where the flag is sent.
        choices: How many answers were asked for.
        class_name: The model's class; empty where it is unknown.
        request: The keyword arguments of LangChain's start callback: the request's parameters and options.
        schema: What the answer follows, where a caller says so; None to look in the request.
        stops: The request's stop strings, at which a server cuts the text off while the tokens go on.
        echoed: The prompt, where the answer repeats it (`echo=True` of completion models); else empty.
        dropped_by: The integration to name to `recover_dropped_logprobs`, where this class has one that is not on.
        drops: On which calls the class drops the logprobs that it receives; None where it keeps them.
        unsaid: Whether nobody can know what was asked: there is an answer, and no request.
        requested: For how many alternatives we asked ourselves (Settings.request_logprobs); 0 where we did not.
        known_to_refuse: Whether we would have asked, but the model has refused before, or did so now.
    """

    logprobs: bool = False
    to_bind: str | None = None
    choices: int = 1
    class_name: str = ""
    request: Mapping[str, Any] = field(default_factory=dict)
    schema: object = None
    stops: tuple[str, ...] = ()
    echoed: str = ""
    dropped_by: str | None = None
    drops: Drops | None = None
    unsaid: bool = False
    requested: int = 0
    known_to_refuse: bool = False

    def note_requested(self, requested: int, refused: bool) -> None:
        """Note what became of asking by ourselves."""
        self.requested, self.known_to_refuse = requested, refused
        self.logprobs = self.logprobs or requested > 0

    def answer_schema(self) -> object:
        """Return the schema that the answer's text follows; None where there is none."""
        return self.schema if self.schema is not None else schema_from_request(self.request)

    def tool_schemas(self, tool_calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the schema of the arguments of each tool, by its name.

        A schema that the caller gave is that of the one tool that is called: `with_structured_output` makes a tool
        of it, named as the schema is.
        """
        if self.schema is None:
            return dict(tool_schemas_from_request(self.request))
        names = {str(call.get("name")) for call in tool_calls}
        schema = to_json_schema(self.schema)
        title = schema.get("title") if schema is not None else None
        return {name: schema for name in names if len(names) == 1 or name == title}
