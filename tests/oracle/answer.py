"""What is said of a whole answer, a second time: its parts, measures, fields and the level that they make."""

import math
from collections.abc import Sequence
from typing import Any

from langchain_logprobs.formats.tokens import TokenLogprob
from tests.oracle import alignment
from tests.oracle.documents import Document, Value, find, structured
from tests.oracle.fields import Numbers, Read, Tokens, fields
from tests.oracle.measures import measures, usable
from tests.oracle.parts import Given, Parts, parts
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
    if divided.spans is None or not structured(given.text[divided.start :], place is not None):
        return []
    tokens = Tokens(given.tokens, divided.spans, given.text, reading(given, divided), is_whole(given, divided))
    document = find(given.text, divided.start, place)
    value, labels = bare_label(given, tokens, divided.start, place, document)
    if value is not None:
        return fields(tokens, Document("complete", value.end, value), place, labels=labels)
    return fields(tokens, document, place) if document and document.root else []


def bare_label(
    given: Given, tokens: Tokens, start: int, place: Place | None, document: Document | None
) -> tuple[Value | None, list[Label]]:
    """The answer as a word of the schema's closed list without its quotes."""
    word = given.text[start:].strip()
    scalar = document is None or [one.kind for one in document.values] in (["number"], ["boolean"], ["null"])
    if place is None or "string" in place.kinds or not scalar or not word or word not in place.labels:
        return None, []
    begin = given.text.index(word, start)
    return Value("string", begin, begin + len(word), closed=True), place.listed()


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
    ways: Sequence[Read] = (alignment.as_sent, alignment.from_gpt2, alignment.from_sentencepiece, alignment.from_latin1)
    placed = [(token, span) for token, span in zip(given.tokens, divided.spans, strict=True) if span]
    fitting = [way for way in ways if all(data[slice(*span)] in way(token) for token, span in placed)]
    told = [index for index, kind in enumerate(divided.kinds) if kind in ("answer", "outside")]
    for way in fitting:
        pieces = [way(given.tokens[index]) for index in told]
        if b"".join(pieces) == data or len(list(alignment.answers(pieces, data.strip(alignment.WHITE) or data))) == 1:
            return way
    return fitting[0] if fitting else alignment.as_sent
