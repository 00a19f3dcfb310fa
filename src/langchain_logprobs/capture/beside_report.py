"""What a model call's span says beside its report: what the provider said, the texts of the request, times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_logprobs.confidence.inputs import Received
from langchain_logprobs.formats.carrying import Carrying
from langchain_logprobs.telemetry import genai, names

if TYPE_CHECKING:
    from langchain_logprobs.capture.kept import Call


def requested(call: Call, received: Received, error: BaseException | None) -> tuple[int, bool]:
    """Return for how many alternatives we asked ourselves, and whether the model refuses logprobs."""
    infos = [getattr(choice.generation, "generation_info", None) for choice in received.choices]
    for info in (call.carrying, *infos):
        if isinstance(info, Carrying):
            return info.requested, info.refused
    requested = getattr(error, "langchain_logprobs_requested", 0)  # of a call that failed
    return (requested if isinstance(requested, int) else 0), False


def pairs_of(start_time: int, call: Call, received: Received, response: Any, cached: bool) -> list[tuple[str, Any]]:
    """Return what is written of a call beside its report: what the provider said, the texts of the request, times."""
    generations = [choice.generation for choice in received.choices if choice.generation is not None]
    pairs = list(genai.response_attributes(response, generations, cached=cached))
    if received.first_chunk_time is not None:
        pairs.append((names.REQUEST_STREAM, True))
    if call.asked.requested:
        pairs.append((names.REQUESTED, call.asked.requested))
    # Not before the end is it known whether all handlers of the run allow text.
    if call.asked.stops:
        pairs.append((names.REQUEST_STOP_SEQUENCES, list(call.asked.stops)))
    if call.messages is not None:
        pairs.append((names.INPUT_MESSAGES, call.messages))
    for name, time in (
        (names.TIME_TO_FIRST_CHUNK, received.first_chunk_time),
        (names.TIME_TO_FIRST_TOKEN, received.first_token_time),
    ):
        if time is not None:
            pairs.append((name, max(0, time - start_time) / 1e9))
    return pairs
