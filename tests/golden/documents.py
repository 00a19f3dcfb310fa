"""5,500 random JSON documents as model calls: random tokens, logprobs, alternatives, schemas, and ways to arrive.

2,600 are whole documents, 1,400 are cut off somewhere, 1,500 are any text with JSON's characters in it. The same every
time on every version of Python: of the random numbers only `random()` is used, which Python promises to keep, and of
arithmetic only what is exact to the last bit.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult

from .recording import Event

WHOLE, CUT, ANY = 2_600, 1_400, 1_500
COUNT = WHOLE + CUT + ANY

T = TypeVar("T")

_KEYS = ("a", "b", "city", "opinion", "", "a/b", "~", 'q"', "é", "日本", "😀", "\\", "\n", "0", "buys_again")
_WORDS = (
    "good",
    "mixed",
    "bad",
    "Oslo",
    "Os",
    "",
    "日本語",
    "straße",
    "😀😃",
    "e\u0301",
    "\ud83d",
    "a\tb",
    '"',
    "</x>",
)
_NUMBERS = ("0", "-0", "1", "-12", "1.5", "-0.25", "1e5", "1E-7", "2.5e+10", "12345678901234567890", "1e400", "3")
_OTHERS = tuple(
    word.encode("utf-8", "surrogatepass") for word in (*_WORDS, *_NUMBERS, "true", "false", '"', "goo", "m")
)
_BLANKS = ("", "", "", " ", "\n  ", "\t")
_ANY = (*'{}[]",:\\u0019.-eEtrufalsn `\n', "é", "日", "😀", "\ud83d", "\u00a0", "true", '"a":', "```json\n", "x")
_WRAPPINGS = (("", ""),) * 8 + (
    ("```json\n", "\n```"), ("Here it is: ", "."), ("<think>so [1]</think>\n", ""), (" ", "\n\n"), ("", "<|im_end|>"),
)  # fmt: skip


class _Dice:
    """Random choices that are made of `random()` alone."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed).random

    def below(self, count: int) -> int:
        return int(self.random() * count)

    def one_of(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def chance(self, probability: float) -> bool:
        return self.random() < probability


def documents() -> Iterator[tuple[str, list[Event]]]:
    """Yield each document's name and the callbacks of the model call that it is the answer of."""
    for number in range(COUNT):
        yield document(number)


def document(number: int) -> tuple[str, list[Event]]:
    """Return one document's name and callbacks, by its number (0 to 5,499)."""
    dice = _Dice(8_000 + number)
    if number < WHOLE:
        name, text = "whole", _value(dice, 0)
    elif number < WHOLE + CUT:
        name, text = "cut", _container(dice, 0)
        text = text[: 1 + dice.below(len(text))]
    else:
        name, text = "any", "".join(dice.one_of(_ANY) for _ in range(1 + dice.below(40)))
    return f"{number:04d} {name}", _call(dice, text)


def _value(dice: _Dice, depth: int) -> str:
    if depth < 4 and dice.chance(0.75 if depth == 0 else 0.35):
        return _container(dice, depth)
    kind = dice.below(4)
    if kind == 0:
        return dice.one_of(_NUMBERS)
    return dice.one_of(("true", "false", "null")) if kind == 1 else _string(dice, _WORDS)


def _string(dice: _Dice, words: Sequence[str]) -> str:
    """A JSON string, each character escaped or not."""
    pieces = []
    for char in "".join(dice.one_of(words) for _ in range(1 + dice.below(2))):
        must = char in '"\\' or char < " " or "\ud800" <= char <= "\udfff"
        pieces.append(json.dumps(char)[1:-1] if must or dice.chance(0.2) else char)
    return '"' + "".join(pieces) + '"'


def _container(dice: _Dice, depth: int) -> str:
    """An array or an object; keys can come twice, white space anywhere."""
    items = [_value(dice, depth + 1) for _ in range(dice.below(6))]
    brackets = "[]"
    if dice.chance(0.7):
        brackets = "{}"
        items = [
            _string(dice, _KEYS) + dice.one_of(_BLANKS) + ":" + dice.one_of(_BLANKS) + item for item in items
        ]  # fmt: skip
    blank = dice.one_of(_BLANKS)
    return brackets[0] + blank + (blank + "," + blank).join(items) + blank + brackets[1]


def _tokens(dice: _Dice, text: str) -> list[dict[str, Any]]:
    """Entries in OpenAI's chat form, of random bytes of the text: characters and escapes are cut apart."""
    raw = text.encode("utf-8", "surrogatepass")
    length = 1 + dice.below(6)
    entries = []
    start = 0
    while start < len(raw):
        piece = raw[start : start + 1 + dice.below(length)]
        start += len(piece)
        logprob = _logprob(dice)
        entry: dict[str, Any] = {
            "token": piece.decode("utf-8", "backslashreplace"),
            "bytes": list(piece),
            "logprob": logprob,
            "top_logprobs": _alternatives(dice, piece, logprob),
        }
        if dice.chance(0.01):
            entry.pop(dice.one_of(("bytes", "top_logprobs", "logprob")))
        entries.append(entry)
    return entries


def _logprob(dice: _Dice) -> float | None:
    if dice.chance(0.01):
        return dice.one_of((None, -9999.0, 0.0, -100.0, -0.0, 0.5, float("nan"), float("-inf"), 1e-9))
    part = dice.random()
    return -part * part * part * 4.0


def _alternatives(dice: _Dice, piece: bytes, logprob: float | None) -> list[dict[str, Any]]:
    """The token itself among up to four others, the most likely first, as most servers send them."""
    if dice.chance(0.4):
        return []
    others = [(piece, logprob)] if dice.chance(0.95) else []
    for _ in range(1 + dice.below(4)):
        others.append((dice.one_of(_OTHERS)[: 1 + dice.below(4)], -dice.random() * 8.0))
    if dice.chance(0.9):
        # NaN last: where it came out among the others would differ between versions of Python.
        others.sort(key=lambda other: math.inf if other[1] != other[1] else -(other[1] or 0.0))
    return [
        {"token": other.decode("utf-8", "backslashreplace"), "bytes": list(other), "logprob": value}
        for other, value in others
    ]


def _schema(dice: _Dice, value: Any) -> dict[str, Any]:
    """A schema that the value follows, mostly; closed lists of values among it."""
    if dice.chance(0.05):
        return {"type": "string"}
    if isinstance(value, dict):
        properties = {key: _schema(dice, item) for key, item in value.items() if dice.chance(0.9)}
        return {"type": "object", "properties": properties, "required": list(properties)}
    if isinstance(value, list):
        return {"type": "array", "items": _schema(dice, value[0])} if value else {"type": "array"}
    if isinstance(value, str) and dice.chance(0.7):
        return {"enum": [value, *(dice.one_of(_WORDS) for _ in range(dice.below(4)))]}
    if isinstance(value, bool) or value is None:
        return {"type": ["boolean", "null"]} if dice.chance(0.5) else {"anyOf": [{"type": "boolean"}, {"type": "null"}]}
    if isinstance(value, int) and abs(value) < 100 and dice.chance(0.5):
        return {"enum": [value, 1, 10, 12]}
    return {"type": "string" if isinstance(value, str) else "number"}


def _call(dice: _Dice, text: str) -> list[Event]:
    """One model call that answers with a text: asked with a schema or not, as text or as a tool's arguments."""
    before, after = dice.one_of(_WRAPPINGS)
    entries = _tokens(dice, before + text + after)
    if dice.chance(0.03):  # some are lost on the way
        entries = entries[dice.below(len(entries)) :] if dice.chance(0.5) else entries[: dice.below(len(entries))]
    try:
        value = json.loads(text)
    except ValueError:
        value = {"opinion": "good"}
    params: dict[str, Any] = {"model": "m-1", "model_name": "m-1", "logprobs": True, "top_logprobs": 5, "_type": "chat"}
    options: dict[str, Any] = {"stop": None}
    # Servers strip what is around a document, or LangChain's class does.
    content = (before if dice.chance(0.7) else "") + text + (after if dice.chance(0.5) else "")
    message: dict[str, Any] = {"content": content}
    asked = dice.below(10)
    if asked < 3:
        wrapped = {"name": "Answer", "schema": _schema(dice, value)}
        params["response_format"] = {"type": "json_schema", "json_schema": wrapped}
    elif asked < 4:
        options["ls_structured_output_format"] = {"kwargs": {"method": "json_mode"}, "schema": _schema(dice, value)}
    elif asked < 5 and isinstance(value, dict):
        function = {"name": "answer", "parameters": _schema(dice, value)}
        params["tools"] = [{"type": "function", "function": function}]
        calls = [{"name": "answer", "args": value, "id": "call-1", "type": "tool_call"}]
        message = {"content": "", "tool_calls": calls}
    identity: dict[str, Any] = {"run_id": UUID(int=1), "parent_run_id": None, "tags": []}
    metadata = {"ls_provider": "openai", "ls_model_name": "m-1", "ls_model_type": "chat"}
    start = Event(
        "on_chat_model_start",
        ({"lc": 1, "type": "constructor", "id": ["langchain", "chat_models", "openai", "ChatOpenAI"], "kwargs": {}},
         [[HumanMessage("hi")]]),
        {**identity, "metadata": metadata, "invocation_params": params, "options": options, "name": "ChatOpenAI"},
    )  # fmt: skip
    arriving = list(_chunks(dice, entries, identity)) if dice.chance(0.4) else []
    if dice.chance(0.02):
        return [start, *arriving, Event("on_llm_error", (TimeoutError("too late"),), identity)]
    container = _legacy(entries) if dice.chance(0.1) else {"content": entries, "refusal": None}
    info = {"finish_reason": "stop", "logprobs": container}
    generation = ChatGeneration(message=AIMessage(**message), generation_info=info)
    return [start, *arriving, Event("on_llm_end", (LLMResult(generations=[[generation]]),), identity)]


def _legacy(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """The same entries in the form of legacy completions: columns, without bytes."""
    tops = [{top["token"]: top["logprob"] for top in entry.get("top_logprobs", ())} for entry in entries]
    return {
        "tokens": [entry["token"] for entry in entries],
        "token_logprobs": [entry.get("logprob") for entry in entries],
        "top_logprobs": tops,
    }


def _chunks(dice: _Dice, entries: list[dict[str, Any]], identity: dict[str, Any]) -> Iterator[Event]:
    """The entries in chunks of one to four; now and then the last ones come with the result only."""
    end = len(entries) if dice.chance(0.9) else dice.below(len(entries) + 1)
    start = 0
    while start < end:
        mine = entries[start : min(end, start + 1 + dice.below(4))]
        start += len(mine)
        text = "".join(entry["token"] for entry in mine)
        info = {"logprobs": {"content": mine, "refusal": None}}
        chunk = ChatGenerationChunk(message=AIMessageChunk(content=text), generation_info=info)
        yield Event("on_llm_new_token", (text,), {**identity, "chunk": chunk})
