"""Messages in the JSON form of the GenAI semantic conventions: role, parts and, for an answer, a finish reason.

Backends refuse the whole message if a required key is missing (Phoenix drops an answer without a `finish_reason`), so
every message has all of them, whatever an integration left out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.formats.generation import text_of
from langchain_logprobs.telemetry.sentences import Passage

_ROLES = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "system": "system", "tool": "tool"}
_QUOTED = re.compile('"([^"]*)"')
_FINISH_REASONS = {"tool_calls": "tool_call", "function_call": "tool_call", "max_tokens": "length", "end_turn": "stop"}


def input_messages(messages: Sequence[Any]) -> str:
    """Return the messages of a request.

    Args:
        messages: LangChain messages, or strings (the prompts of a completion model).
    """
    return _json([_message(message) for message in messages])


MOST_OF_A_BLOCK = 2_000
"""Characters of a string in a block that is no text: a link is shorter, an image in the prompt is not."""

FEWEST_MESSAGE_BYTES = 300
"""So much of an answer is shown whatever the size of its span."""

_SHORT_ANSWER_BYTES = 1_000
"""Answers that are together no longer than that are shown whole."""


def output_messages(
    report: ConfidenceReport, generations: Sequence[Any], passage: Passage, room: int | None = None
) -> str:
    """Return the answers of a call; where the first is unsure, a part of its own, before the text, says of what.

    Before it, because Jaeger shows the parts in their order: below an answer of some lines it would be off the screen.

    Args:
        report: The report on the call.
        generations: Its answers, as LangChain's Generations.
        passage: The text of the first with its unsure places.
        room: How many bytes the texts of the answers may take together; None for any. What is over is cut off.
    """
    messages = [
        {
            **_message(getattr(generation, "message", None), text_of(generation) or ""),
            "role": "assistant",
            "finish_reason": _finish_reason(generation),
        }
        for generation in generations
    ]
    if (
        room is not None
        and sum(_text_size(part) for message in messages for part in message["parts"]) > _SHORT_ANSWER_BYTES
    ):
        for message in messages:
            room = _cut(message["parts"], room)
    if passage.places:
        messages[0]["parts"].insert(0, _confidence_part(report, passage))
    return _json(messages)


def cut_messages(text: str, most: int) -> str | None:
    """Return messages that take at most so many bytes: of the last ones as much as fits, of the others their roles.

    Args:
        text: Messages, as the functions above return them.
        most: The bytes.

    Returns:
        None where not even their roles fit.
    """
    if len(text.encode("utf-8", "replace")) <= most:
        return text
    messages = json.loads(text)
    room = most - len(_json([{**message, "parts": []} for message in messages]).encode())
    for message in reversed(messages):
        kept = []
        for part in message["parts"]:
            kept.append(_cut_part(part, room - 2))
            room -= _size(kept[-1]) + 2
        message["parts"] = kept if room >= 0 else []
    shown = _json(messages)
    return shown if len(shown.encode("utf-8", "replace")) <= most else None


def _cut_part(part: dict[str, Any], room: int) -> dict[str, Any]:
    size = _size(part)
    if size <= room:
        return part
    content = part.get("content")
    if part.get("type") == "text" and isinstance(content, str):
        spare = room - _size({**part, "content": " …"})
        for most in (spare, spare // 6):  # a control character takes six bytes in JSON
            kept = content.encode("utf-8", "replace")[: max(0, most)].decode("utf-8", "ignore")
            cut = {**part, "content": f"{kept} …"}
            if _size(cut) <= room:
                return cut
    return {"type": part.get("type"), "content": f"left out: {size:,} bytes"}


def _size(part: dict[str, Any]) -> int:
    return len(json.dumps(part, ensure_ascii=False).encode("utf-8", "replace"))


def _text_size(part: Mapping[str, Any]) -> int:
    content = part.get("content")
    return len(content.encode("utf-8", "replace")) if isinstance(content, str) else 0


def input_of(inputs: Any) -> str | None:
    """Return what a whole chain or agent was given, as messages; None where there is nothing to show.

    Args:
        inputs: As LangChain reports it: a text, messages, a prompt, or a dictionary. Of other values than texts and
            numbers only the type is told, since they can be of any size.
    """
    try:
        messages = _given(inputs)
    except Exception:  # a class of somebody's own
        return None
    room = _MOST_INPUT_BYTES
    for message in messages:
        room = _cut(message["parts"], room)
    return _json(messages) if messages else None


def _given(inputs: Any) -> list[dict[str, Any]]:
    if isinstance(inputs, Mapping) and "messages" in inputs:
        inputs = inputs["messages"]
    to_messages = getattr(inputs, "to_messages", None)
    if callable(to_messages):
        inputs = to_messages()
    if isinstance(inputs, list | tuple) and inputs:
        return [message for message in map(_any_message, inputs[-_MOST_MESSAGES:]) if message is not None]
    if isinstance(inputs, Mapping):
        shown = {str(key): _scalar(value) for key, value in inputs.items()}
        texts = list(shown.values())
        alone = len(texts) == 1 and isinstance(texts[0], str)
        text = texts[0] if alone else json.dumps(shown, ensure_ascii=False)
        return [_message(text)] if any(each not in (None, "") for each in texts) else []
    if hasattr(inputs, "content"):
        return [_message(inputs)]
    return [] if inputs is None or inputs == "" else [_message(str(_scalar(inputs)))]


_MOST_MESSAGES = 100
_MOST_INPUT_BYTES = 8_000
"""What a chain was given is on its model calls' spans too, whole."""


def last_text(messages: str | None) -> str | None:
    """Return what the last of some messages says in words; None where there is nothing of that."""
    parts = [] if messages is None else json.loads(messages)[-1]["parts"]
    texts = [part["content"] for part in parts if part["type"] == "text" and part["content"]]
    return "\n".join(texts) or None


def _any_message(message: Any) -> dict[str, Any] | None:
    """Return a message in any of the forms that LangChain takes one in."""
    if isinstance(message, tuple | list) and len(message) == 2 and all(isinstance(each, str) for each in message):
        return {**_message(message[1]), "role": _ROLES.get(message[0], message[0])}
    if isinstance(message, Mapping) and isinstance(message.get("content"), str):
        role = str(message.get("role", "user"))
        return {**_message(message["content"]), "role": _ROLES.get(role, role)}
    if isinstance(message, str) or hasattr(message, "content"):
        return _message(message)
    return None


def _scalar(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if value is None or isinstance(value, bool | int):
        return value
    content = value if isinstance(value, str) else getattr(value, "content", None)
    return content if isinstance(content, str) else f"<{type(value).__name__}>"


def _cut(parts: list[dict[str, Any]], room: int) -> int:
    """Cut the texts of a message to what there is room for (bytes, roughly); return what is left."""
    for part in parts:
        if (size := _text_size(part)) > 0:
            content = part["content"]
            if size > room:
                kept = content.encode("utf-8", "replace")[: max(0, room)].decode("utf-8", "ignore")
                part["content"] = f"{kept} …"
            room -= size
    return room


def _confidence_part(report: ConfidenceReport, passage: Passage) -> dict[str, Any]:
    """Return what a viewer of messages shows of the confidence: the conventions allow a part of any type.

    The places are one string, the worst first: as a list each would take a line of the screen, of which a viewer that
    indents JSON has few. Such a viewer would also put a backslash before each quotation mark, so there are others.
    """
    score = report.verdict.score
    return {
        "type": "token_confidence",
        "unsure": _QUOTED.sub("“\\1”", " · ".join(passage.labels)),
        "level": report.level,
        "score": None if score is None else round(score, 3),
    }


def _message(message: Any, text: str = "") -> dict[str, Any]:
    if isinstance(message, str):
        return {"role": "user", "parts": [{"type": "text", "content": message}]}
    kind = str(getattr(message, "type", "user"))
    parts = list(_parts(message, kind)) or ([{"type": "text", "content": text}] if text else [])
    for call in getattr(message, "tool_calls", None) or ():
        if isinstance(call, Mapping):
            known = {"id": call.get("id"), "name": str(call.get("name")), "arguments": call.get("args")}
            parts.append({"type": "tool_call", **known})
    return {"role": _ROLES.get(kind, str(getattr(message, "role", kind))), "parts": parts}


def _parts(message: Any, kind: str) -> Iterator[dict[str, Any]]:
    content = getattr(message, "content", "")
    if kind == "tool":
        yield {"type": "tool_call_response", "id": getattr(message, "tool_call_id", None), "response": content}
    elif isinstance(content, str):
        if content:
            yield {"type": "text", "content": content}
    elif isinstance(content, Sequence):
        for block in content:
            yield _block(block)


def _block(block: Any) -> dict[str, Any]:
    if isinstance(block, str):
        return {"type": "text", "content": block}
    if isinstance(block, Mapping) and isinstance(block.get("text"), str):
        return {"type": "text", "content": block["text"]}
    return {"type": "generic", "content": _without_data(block)}


def _without_data(value: Any, depth: int = 8) -> Any:
    """Return a block without its long strings, such as the data of an image: no span can carry them."""
    if isinstance(value, str):
        return value if len(value) <= MOST_OF_A_BLOCK else f"left out: {len(value):,} characters"
    if depth and type(value) is dict:
        return {key: _without_data(item, depth - 1) for key, item in value.items()}
    if depth and type(value) is list:
        return [_without_data(item, depth - 1) for item in value]
    return value


def _finish_reason(generation: Any) -> str:
    message = getattr(generation, "message", None)
    for source in (getattr(generation, "generation_info", None), getattr(message, "response_metadata", None)):
        if isinstance(source, Mapping):
            for key in ("finish_reason", "stop_reason", "done_reason"):
                value = source.get(key)
                if isinstance(value, str) and value:
                    return _FINISH_REASONS.get(value, value)
    return "stop"


def _json(messages: list[dict[str, Any]]) -> str:
    try:
        return json.dumps(messages, ensure_ascii=False, default=_shown, allow_nan=False)
    except (TypeError, ValueError, RecursionError):  # NaN, a cycle, keys that are no strings: shown, not dropped
        return json.dumps(
            [{**message, "parts": [_plain(part) for part in message["parts"]]} for message in messages],
            ensure_ascii=False,
        )


def _plain(part: dict[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, str) else _shown(value) for key, value in part.items()}


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # a class of somebody's own
        return type(value).__name__
