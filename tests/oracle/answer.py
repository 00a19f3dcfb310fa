"""What is said of a whole answer, a second time: its parts, measures, fields and the level that they make."""

from collections.abc import Sequence
from typing import Any

from tests.oracle import alignment
from tests.oracle.documents import Document, Value, find, structured
from tests.oracle.fields import Numbers, Read, Tokens, fields
from tests.oracle.measures import measures
from tests.oracle.parts import Given, Parts, parts
from tests.oracle.schemas import Label, Place

HIGH, MEDIUM = 0.8, 0.5


def report(given: Given, high: float = HIGH, medium: float = MEDIUM) -> dict[str, Any]:
    """What is said of an answer: its parts, its measures, its fields with their paths, its level."""
    divided = parts(given)
    counted = divided.of("answer", "tool_call")
    total = measures([given.tokens[index] for index in counted])
    if isinstance(total["min_index"], int):
        total["min_index"] = counted[total["min_index"]]
    thought = [given.tokens[index] for index in divided.of("reasoning")]
    found = leaves(given, divided) if given.tokens else []
    return {
        "kinds": divided.kinds,
        "measures": total,
        "reasoning": measures(thought) if thought else None,
        "fields": found,
        "level": level(total, found, high, medium),
        "failed": divided.spans is None,
    }


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
        joined = [len(alignment.as_sent(token)) for token in given.tokens]
        spans = [(sum(joined[:at]), sum(joined[: at + 1])) for at in range(len(joined))]
        text = b"".join(map(alignment.as_sent, given.tokens)).decode("utf-8", "replace")
        tokens = Tokens(given.tokens, tuple(one if one[0] < one[1] else None for one in spans), text,
                        alignment.as_sent, whole=True)  # fmt: skip
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
    if place is None or "string" in place.kinds or not scalar or word not in [x for x in place.labels if x is not None]:
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
    ways: Sequence[Any] = (alignment.as_sent, alignment.from_gpt2, alignment.from_sentencepiece, alignment.from_latin1)
    for way in ways:
        placed = [(way(token), span) for token, span in zip(given.tokens, divided.spans, strict=True) if span]
        if all(data[slice(*span)] in piece for piece, span in placed):
            return lambda token: way(token)  # type: ignore[no-any-return]
    return alignment.as_sent
