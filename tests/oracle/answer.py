"""What is said of a whole answer, a second time: its parts, measures, fields and the level that they make."""

import json
import math
from collections.abc import Sequence
from typing import Any

from langchain_logprobs.formats.tokens import TokenLogprob
from tests.oracle import alignment
from tests.oracle.documents import Document, Value, find, structured
from tests.oracle.fields import Numbers, Read, Tokens, fields
from tests.oracle.measures import measures, usable
from tests.oracle.parts import SPECIAL, Given, Parts, parts
from tests.oracle.schemas import Label, Place

HIGH, MEDIUM = 0.8, 0.5


def report(*choices: Given, high: float = HIGH, medium: float = MEDIUM) -> dict[str, Any]:
    """What is said of a call: the measures of all its answers together; of the first one the rest."""
    given, divided = choices[0], parts(choices[0])
    held = [(one.tokens[index], number, index)
            for number, one in enumerate(choices) for index in parts(one).of("answer", "tool_call")]  # fmt: skip
    total = measures([token for token, _, _ in held])
    if isinstance(total["min_index"], int):
        _, number, index = held[total["min_index"]]
        total["min_index"] = index if number == 0 else None
    thought = [*given.thought, *(given.tokens[index] for index in divided.of("reasoning"))]
    found = leaves(given, divided) if given.tokens else []
    return {
        "kinds": divided.kinds,
        "measures": total,
        "weakest": weakest(held),
        "reasoning": measures(thought) if thought else None,
        "fields": found,
        "level": level(total, found, high, medium),
        "failed": divided.spans is None,
    }


def weakest(held: Sequence[tuple[TokenLogprob, int, int]]) -> tuple[float | None, bool] | None:
    """How probable the weakest token is, at most where it is censored, and whether it is censored."""
    known = [(logprob, False) for token, _, _ in held if (logprob := usable(token.logprob)) is not None]
    hidden = []
    for token, _, _ in held:
        if usable(token.logprob) is None:
            listed = [
                math.exp(logprob) for other in token.alternatives if (logprob := usable(other.logprob)) is not None
            ]
            hidden.append(min(*listed, max(0.0, 1.0 - math.fsum(listed))) if listed else None)
    if hidden:
        return min([bound for bound in hidden if bound is not None], default=None), True
    return (math.exp(min(known)[0]), False) if known else None


def level(total: Numbers, found: list[Numbers], high: float, medium: float) -> str | None:
    """The level: of the least certain value, where there are values; a censored token makes it `low`."""
    values = [one["confidence"] for one in found if one["token_count"] and is_leaf(one) and not one["shadowed"]]
    score = (None if None in values else min(values)) if values else total["confidence"]
    if total["censored_count"] or (values and score is None):
        return "low"
    if score is None:
        return None
    return "high" if score >= high else "medium" if score >= medium else "low"


def is_leaf(one: Numbers) -> bool:
    return one["kind"] not in ("object", "array")


def leaves(given: Given, divided: Parts) -> list[Numbers]:
    """The values of the answer's JSON; where it calls tools, those of the arguments alone."""
    if given.tool_calls:
        pieces = [alignment.as_sent(token) for token in given.tokens]
        joined = b"".join(pieces)
        spans = alignment.spans_of(list(given.tokens), pieces, 0, joined, joined)
        tokens = Tokens(given.tokens, spans, joined.decode("utf-8", "replace"), alignment.as_sent, whole=True)
        found = []
        for number, (call, made) in enumerate(zip(given.tool_calls, divided.calls, strict=True)):
            if made is None:
                continue
            place = Place.of(given.tools.get(call["name"]))
            for one in fields(tokens, made.document, place, shift=made.start):
                found.append({**one, "path": f"/tool_calls/{number}/{call['name']}{one['path']}"})
        return found
    place = Place.of(given.schema)
    if divided.spans is None:
        return []
    json_like = structured(given.text[divided.start :], place is not None)
    if not json_like and len(divided.of("answer")) != 1:
        return []
    tokens = Tokens(given.tokens, divided.spans, given.text, reading(given, divided), is_whole(given, divided))
    document = find(given.text, divided.start, place)
    value, labels = bare_label(given, tokens, divided.start, place, document)
    if value is not None:
        document = Document("complete", value.end, value)
    if document is None or document.root is None:
        return []
    found = fields(tokens, document, place, labels=labels, bare=bool(value and value.kind == "string"))
    return found if json_like or any(one["distribution"] for one in found if is_leaf(one)) else []


def bare_label(
    given: Given, tokens: Tokens, start: int, place: Place | None, document: Document | None
) -> tuple[Value | None, list[Label] | None]:
    """The answer as a word of the schema's closed list without its quotes, or one word of its alternatives' list."""
    word = given.text[start:].strip()
    kinds = [] if document is None else [one.kind for one in document.values]
    if not word or (document is not None and kinds not in (["number"], ["boolean"], ["null"])):
        return None, None
    begin = given.text.index(word, start)
    value = Value("string", begin, begin + len(word), closed=True)
    if place is not None:
        known = "string" not in place.kinds and word in place.labels
        return (value, place.listed()) if known else (None, None)
    held = tokens.at(tokens.offset(begin), tokens.offset(begin + len(word)))
    if len(word.split()) > 1 or len(word) > 100 or len(held) != 1 or not any(map(str.isalnum, word)):
        return None, None
    others = [other for other in tokens.tokens[held[0]].alternatives if usable(other.logprob) is not None]
    others = [other for other in others if not alignment.lost(TokenLogprob(other.token, None, other.bytes))]
    words = [alignment.decode(tokens.read(other)).strip() for other in others]
    words = list(dict.fromkeys([word, *(one for one in words if len(one.split()) == 1 and one[0].isalnum())]))
    if len(words) == 1 or kinds in (["boolean"], ["null"]):
        return None, None
    if kinds == ["number"]:
        numbers = [json.loads(one) for one in words if equal_to_number(one)]
        return document.root if document else None, list(dict.fromkeys(numbers))
    return value, list(words)


def equal_to_number(word: str) -> bool:
    try:
        value = json.loads(word)
    except ValueError:
        return False
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_whole(given: Given, divided: Parts) -> bool:
    """Whether what has no token is white space, at the ends of the text or stripped off the tokens."""
    assert divided.spans is not None
    data = alignment.encode(given.text)
    spelled = {at for span in divided.spans if span for at in range(*span)}
    return all(byte in alignment.WHITE for at, byte in enumerate(data) if at not in spelled)


def reading(given: Given, divided: Parts) -> Read:
    """How the tokens were read: the way in which each spells what stands in its place."""
    assert divided.spans is not None
    data = alignment.encode(given.text)
    ways: Sequence[Read] = (
        alignment.as_sent,
        alignment.from_escapes,
        alignment.from_gpt2,
        alignment.from_sentencepiece,
        alignment.from_latin1,
    )
    placed = [(token, span) for token, span in zip(given.tokens, divided.spans, strict=True) if span]
    fitting = [way for way in ways if all(data[slice(*span)] in way(token) for token, span in placed)]
    told = [index for index, kind in enumerate(divided.kinds) if kind in ("answer", "outside")]
    shown = [given.tokens[index] for index in told if not SPECIAL.fullmatch(given.tokens[index].token)]
    for way in fitting:
        if b"".join(map(way, shown)).strip(alignment.WHITE) == data.strip(alignment.WHITE):
            return way
    for way in fitting:
        pieces = [way(given.tokens[index]) for index in told]
        if b"".join(pieces) == data or len(list(alignment.answers(pieces, data.strip(alignment.WHITE) or data))) == 1:
            return way
    return fitting[0] if fitting else alignment.as_sent
