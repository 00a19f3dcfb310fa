"""Which part of a call each token is, a second time, by the docstring of Parts: one token after the other.

Slow, obvious, and without a line of the product's own. For the marks and the markup of tool calls that are listed here.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_logprobs.formats.tokens import TokenLogprob
from tests.oracle import alignment
from tests.oracle.documents import Document, Value, parse

BEGINS = r"<think>|<thinking>|\[THINK\]|(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>"
ENDS = r"</think>|</thinking>|\[/THINK\]|(?:<\|start\|>assistant)?<\|channel\|>final<\|message\|>"
SPECIAL = re.compile(r"<\|\w+\|>|</?s>|<end_of_turn>|\[/?INST\]")
BEFORE_CALL = re.compile(r"(?:\s|<tool_call>|<\|\w*tool\w*\|>|\[TOOL_CALLS\]|```json|```|\[|(?<=[}\]]),)*\Z")
BEHIND_CALL = re.compile(r"(?:\s|</tool_call>|<\|\w+\|>|</s>|```|\]|;|,(?=\s*[{\[<\]]))*")
ARGUMENTS = ("arguments", "parameters", "args", "input")


@dataclass
class Given:
    """An answer as it came.

    Attributes:
        tokens: Its tokens.
        text: Its text.
        reasoning: The reasoning text that came apart from it.
        tool_calls: Its tool calls: `name` and `args`.
        told: What the chunks of some tokens say of them: `reasoning` or `tool_call`, from one to before another.
        echoed: The prompt that it repeats.
        schema: What its text follows.
        tools: What the arguments of each tool follow.
        thought: The tokens of a reasoning text that the provider reports apart.
    """

    tokens: Sequence[TokenLogprob]
    text: str
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    told: Sequence[tuple[str, int, int]] = ()
    echoed: str = ""
    schema: Any = None
    tools: Mapping[str, Any] = field(default_factory=dict)
    thought: Sequence[TokenLogprob] = ()


@dataclass
class Call:
    """Where the tokens spell a tool call; the offsets of the arguments count in their joined text."""

    start: int
    document: Document
    tokens: list[int]


@dataclass
class Parts:
    """What each token is, where it stands in the text in bytes, where the answer begins, and the tool calls."""

    kinds: list[str]
    spans: alignment.Spans | None
    start: int
    calls: list[Call | None]

    def of(self, *kinds: str) -> list[int]:
        return [index for index, kind in enumerate(self.kinds) if kind in kinds]


def parts(given: Given) -> Parts:
    words = [token.token for token in given.tokens]
    everything = range(len(words))
    known = known_before(given)
    kinds = dict.fromkeys(everything, "outside")
    spans, trusted = aligned(given, known)
    if trusted:
        kinds.update(known)
    thought = thinking_end(given.text)
    while thought and given.text[thought : thought + 1].isspace():
        thought += 1
    start = max(thought, len(given.echoed) if given.echoed and given.text.startswith(given.echoed) else 0)
    answer = []
    for index in everything:
        if kinds[index] != "outside" or not given.text:
            continue
        if spans is None:
            answer += [index] * (not is_mark(words[index]))
        elif (span := spans[index]) is not None:
            if span[1] <= len(alignment.encode(given.text[:thought])):
                kinds[index] = "reasoning"
            elif span[1] > len(alignment.encode(given.text[:start])):
                answer.append(index)
    # What stands before the answer without a place in it and ends in an end mark is a reasoning text.
    failed = spans is None
    first = len(words) if failed or not answer else answer[0]
    before = [index for index in range(first) if failed or index not in answer]
    joined = "".join(words[index] for index in before)
    end = thinking_end(joined)
    if failed and given.text and end == len(joined):
        end = 0  # nothing says where it ends
    for at, index in enumerate(before):
        if len("".join(words[other] for other in before[:at])) < end:
            kinds[index] = "reasoning"
            answer = [other for other in answer if other != index]
    calls = find_calls(given, kinds, answer, failed)
    for index in answer:
        if kinds[index] == "outside":
            kinds[index] = "answer"
    thoughts = [index for index in everything if kinds[index] == "reasoning"]
    spelled = "".join(words[index] for index in thoughts)
    marks = {at for mark in re.finditer(f"{BEGINS}|{ENDS}", spelled) for at in range(*mark.span())}
    for at, index in enumerate(thoughts):
        begins = len("".join(words[other] for other in thoughts[:at]))
        if is_mark(words[index]) or all(place in marks for place in range(begins, begins + len(words[index]))):
            kinds[index] = "outside"
    return Parts([kinds[index] for index in everything], spans, start, calls)


def known_before(given: Given) -> dict[int, str]:
    """The tokens of which something is known: by their chunks, or as the reasoning text that came apart."""
    if given.told:
        return {index: kind for kind, start, end in given.told for index in range(start, end)}
    wanted = alignment.encode(given.reasoning.strip())
    for read in (alignment.as_sent, alignment.from_gpt2, alignment.from_sentencepiece, alignment.from_latin1):
        pieces = [read(token) for token in given.tokens]
        at = b"".join(pieces).find(wanted)
        if at >= 0:
            break
    if not wanted or at < 0:
        return {}
    held = [index for index in range(len(pieces)) if len(b"".join(pieces[:index])) < at + len(wanted)]
    leading = [index for index in held if len(b"".join(pieces[: index + 1])) <= at]
    return dict.fromkeys(held, "reasoning") if all(is_mark(given.tokens[index].token) for index in leading) else {}


def aligned(given: Given, known: Mapping[int, str]) -> tuple[alignment.Spans | None, bool]:
    """The places of the tokens, and whether what was known of some goes with the text, which is the better witness."""
    if not given.text:
        return (None,) * len(given.tokens), True
    rest = [index for index in range(len(given.tokens)) if index not in known]
    found = alignment.place([given.tokens[index] for index in rest], given.text)
    if found is not None:
        places = dict(zip(rest, found, strict=True))
        return tuple(places.get(index) for index in range(len(given.tokens))), True
    if given.tool_calls:
        called = {index for call in find_calls(given, {}, [], True) if call for index in call.tokens}
        rest = [index for index in rest if index not in called]
        found = alignment.place([given.tokens[index] for index in rest], given.text)
        if found is not None:
            places = dict(zip(rest, found, strict=True))
            return tuple(places.get(index) for index in range(len(given.tokens))), True
    again = alignment.place(list(given.tokens), given.text) if known else None
    return again, again is None


def thinking_end(text: str) -> int:
    """Where the reasoning ends that a text begins with."""
    end = 0
    while begin := re.compile(rf"\s*(?:{BEGINS})").match(text, end):
        mark = re.compile(ENDS).search(text, begin.end())
        if mark is None:
            return len(text)
        end = mark.end()
    mark = re.search(ENDS, text)
    if end or mark is None or text[mark.start() - 1 : mark.start()] in ("`", "'", '"'):
        return end
    return 0 if re.search(BEGINS, text[: mark.start()]) else mark.end()


def is_mark(word: str) -> bool:
    return not word.strip() or bool(SPECIAL.fullmatch(word) or re.fullmatch(f"{BEGINS}|{ENDS}", word.strip()))


def find_calls(given: Given, kinds: dict[int, str], answer: list[int], failed: bool) -> list[Call | None]:
    """The tool calls, looked for from the last one on, behind the reasoning; their tokens are told in `kinds`."""
    if not given.tool_calls:
        return []
    words = [token.token for token in given.tokens]
    pieces = [alignment.as_sent(token) for token in given.tokens]
    text = b"".join(pieces).decode("utf-8", "replace")
    first = max((index for index, kind in kinds.items() if kind == "reasoning"), default=-1) + 1
    begin = len(b"".join(pieces[:first]).decode("utf-8", "replace")) if first else thinking_end(text)
    limit = len(text)
    calls: list[Call | None] = []
    for call in reversed(given.tool_calls):
        found = [each for each in objects(text, begin) if each[0].end <= limit and equal(each, call, text)]
        beside = [each for each in found if each[2] == call["name"]]
        if not found:
            calls.insert(0, None)
            continue
        value, outer, _ = (beside or [each for each in found if each[2] is None])[-1]
        left = outer.start - len(BEFORE_CALL.search(text[begin : outer.start])[0].lstrip())  # type: ignore[index]
        behind = BEHIND_CALL.match(text[outer.end : limit])
        right = outer.end + len(behind[0].rstrip() if behind else "")
        limit = min(left, value.start)
        low, high = len(alignment.encode(text[:left])), len(alignment.encode(text[:right]))
        held = []
        for index, piece in enumerate(pieces):
            begins = len(b"".join(pieces[:index]))
            if piece and begins < high and begins + len(piece) > low:
                held.append(index)
        whole = [*range(held[0], held[-1] + 1)] if held else []
        calls.insert(0, Call(value.start, parse(text[value.start : value.end], 0), whole))
    for index in (index for one in calls if one for index in one.tokens):
        if (failed or index not in answer) and not SPECIAL.fullmatch(words[index]):
            kinds[index] = "tool_call"
    if "tool_call" not in kinds.values() and not given.text and ("reasoning" in kinds.values() or not given.reasoning):
        for index in range(first, len(words)):
            if not is_mark(words[index]):
                kinds[index] = "tool_call"
    return calls


Object = tuple[Value, Value, str | None]
"""An object, the one around it that names a tool too, and that name."""


def objects(text: str, start: int) -> list[Object]:
    """Every object that can be the arguments of a call, in the order of the text."""
    found: list[Object] = []
    at = start
    while (at := text.find("{", at)) >= 0:
        document = parse(text, at)
        if document.state == "complete" and document.root is not None:
            found.append((document.root, document.root, None))
            for outer in document.values:
                inside = {str(one.key): one for one in outer.members if not one.shadowed}
                name = inside.get("name")
                if outer.kind == "object" and name is not None and name.kind == "string":
                    found += [(inside[key], outer, name.python(text)) for key in ARGUMENTS
                              if key in inside and inside[key].kind == "object"]  # fmt: skip
            at = document.end
        else:
            at += 1
    return sorted(found, key=lambda each: each[0].start)


def equal(each: Object, call: Mapping[str, Any], text: str) -> bool:
    value, _, name = each
    plain = json.dumps(numbers(value.python(text)), sort_keys=True)
    return name in (None, call["name"]) and plain == json.dumps(numbers(call["args"]), sort_keys=True)


def numbers(value: Any) -> Any:
    """The same with whole numbers as such: 1.0 is 1."""
    if isinstance(value, dict):
        return {key: numbers(one) for key, one in value.items()}
    if isinstance(value, list):
        return [numbers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
