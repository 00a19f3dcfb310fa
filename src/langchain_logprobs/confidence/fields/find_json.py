"""Which part of an answer's text is its JSON? The one place where that is decided."""

from __future__ import annotations

import re
from typing import NamedTuple

from langchain_logprobs.confidence.fields.json_scan import MAX_VALUES, Document, Value, attach, scan, skip_blank
from langchain_logprobs.confidence.fields.schema import SchemaNode
from langchain_logprobs.confidence.thinking import thinking_end

_MAX_WORK = 4
"""Prose is searched for JSON until the candidates tried add up to this many times its length."""

_LEAD = re.compile(r"[\ufeff \t\n\r]*")
"""White space and a byte order mark."""
_FENCE = re.compile(r"(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+.-]*)[ \t]*")
_JSON_LANGUAGES = frozenset({"", "json", "jsonc", "json5", "jsonl", "ndjson", "jsonlines"})
_BRACKET = re.compile(r"[{\[]")
_BRACKET_OR_STRING = re.compile(r'[{}\[\]]|"(?:[^"\\]|\\.)*+"')
_BEGINS_JSON = re.compile(r'\{\s*"|\[\s*[{\[]?\s*"')
_BEGINS_ARRAY = re.compile(r'\[\s*(?:[\[{"\]\d-]|true\b|false\b|null\b|\Z)')


class _Candidate(NamedTuple):
    """A document that may be the answer; the greatest one is it."""

    fits: bool
    complete: bool
    place: int
    weight: int
    start: int
    document: Document


def answer_start(text: str) -> int:
    """Return where the answer begins in a text that may begin with reasoning: behind its end mark.

    Returns:
        An offset in code points; 0 where there is no reasoning, the text's end where the reasoning has no end. The
        end mark inside a JSON document that is the whole text is a part of that.
    """
    end = thinking_end(text)
    if end:
        whole = scan(text, _skip_lead(text, 0))
        return 0 if whole.state == "complete" and skip_blank(text, whole.end) == len(text) else end
    return 0


def find_document(text: str, start: int = 0, schema: object = None) -> Document | None:
    """Find the JSON document that is the answer.

    The rule, where there are several:

    1. The whole text, if it is one document, complete or cut off at its end (a byte order mark before it aside). JSON
       lines (a complete object or array on each line and nothing else) are an array of them, whose items have the
       paths /0, /1 and so on; unless the schema says that the answer is an object, which then is the last of them.
    2. Else, where a schema is known, the last complete document that fits its top level: its type, and its required
       keys, or any of its keys where none is required; in a fence (see 3) before one in prose, wherever each stands;
       else the last one that is cut off and has one of its keys.
    3. Else the last complete document: of those in a fence (``` or ~~~, for JSON or without a language, before those
       for another language) before those in prose; an object, or an array that holds one, before other arrays, and a
       lone number in brackets, which is a citation, last.
    4. Else the last one that the end of the text cuts off, in the same order.

    What a model says before its answer, a draft or an example, is not the answer if it says it again.

    Args:
        text: The answer's text.
        start: Where the answer begins in it: the end of the reasoning, see `answer_start`. Nothing before it is read.
        schema: What the answer follows; see `field_confidences`.

    Returns:
        The document; None where there is no JSON. Where the text as a whole begins like an object or array and cannot
        be read, and nothing better is found, that invalid document, so that the reason can be told.
    """
    begin = _skip_lead(text, start)
    if begin == len(text):
        return None
    node = schema if isinstance(schema, SchemaNode) else SchemaNode.of(schema) if schema is not None else None
    whole = scan(text, begin)
    container = text[begin] in "{["
    if whole.state == "complete" and container and (lines := _json_lines(text, whole, len(text))) is not None:
        wants_object = node is not None and node.takes("object") and not node.takes("array")
        return _last_line(text, lines) if wants_object and lines.values else lines
    if whole.state == "complete" and skip_blank(text, whole.end) == len(text):
        return whole
    if whole.state == "truncated" and (container or text[begin] == '"'):
        return whole  # a number or word that is cut off is no evidence of JSON
    if whole.state == "too_large":
        return whole
    candidates = _in_fences(text, begin, node)
    if not any(candidate.complete and (candidate.fits or node is None) for candidate in candidates):
        candidates += _in_prose(text, begin, node)
    if candidates:
        return max(candidates, key=lambda candidate: candidate[:-1]).document
    return whole if container and whole.state == "invalid" else None


def is_structured(text: str, has_schema: bool) -> bool:
    r"""Tell whether an answer is meant to be JSON: prose with a bracket in it is not.

    Args:
        text: The answer's text, without its reasoning.
        has_schema: Whether the request had a schema for it.

    Example:
        >>> is_structured('```json\n{"a": 1}\n```', False), is_structured("see [1]", False)
        (True, False)
    """
    begin = _skip_lead(text, 0)
    if has_schema or text.startswith("{", begin):
        return True
    if _BEGINS_ARRAY.match(text, begin) and (text.rstrip().endswith("]") or _BEGINS_JSON.match(text, begin)):
        return True
    if "```" not in text and "~~~" not in text:
        return False
    for match in _FENCE.finditer(text, begin):
        language = match["language"].lower()
        if language in _JSON_LANGUAGES and (language or text[skip_blank(text, match.end()) :][:1] in ("{", "[")):
            return True
    return False


def _skip_lead(text: str, start: int) -> int:
    match = _LEAD.match(text, start)
    return match.end() if match else start


def _json_lines(text: str, first: Document, end: int) -> Document | None:
    """Return the documents that stand line by line from the first one to `end` as one array; None if they do not."""
    documents = [first]
    position = first.end
    while (begin := skip_blank(text, position)) < end:
        if "\n" not in text[position:begin] or text[begin] not in "{[":
            return None
        document = scan(text, begin)
        if document.state not in ("complete", "truncated"):
            return None
        documents.append(document)
        position = document.end
    if len(documents) == 1:
        return None
    if sum(len(document.values) for document in documents) >= MAX_VALUES:
        return Document([], "too_large", position, f"more than {MAX_VALUES} values")
    state = documents[-1].state
    root = Value("array", first.start, position)
    root.closed = state == "complete"
    values = [root]
    for number, document in enumerate(documents):
        attach(values, document.values, parent=0, key=number)
    return Document(values, state, position)


def _last_line(text: str, lines: Document) -> Document:
    """The last document of JSON lines that is complete; the last one of all where none is."""
    roots = [value for value in lines.values if value.parent == 0]
    chosen = next((root for root in reversed(roots) if root.closed and root.kind == "object"), roots[-1])
    return scan(text, chosen.start)


def _in_fences(text: str, start: int, node: SchemaNode | None) -> list[_Candidate]:
    """Every document that is all there is in its fenced block (one in another language can begin with a number)."""
    found = []
    match = _FENCE.search(text, start)
    while match:
        fence = match["fence"]
        begin = _skip_lead(text, match.end())
        document = scan(text, begin)
        behind = skip_blank(text, document.end)
        close = text.find(fence, document.end if document.state == "complete" else match.end())
        close = len(text) if close < 0 else close
        if document.state == "complete" and begin < len(text) and text[begin] in "{[":
            document = _json_lines(text, document, close) or document
            behind = skip_blank(text, document.end)
        ends = document.state == "complete" and (behind == len(text) or text.startswith(fence, behind))
        if ends or (document.state == "truncated" and begin < len(text) and text[begin] in '{["'):
            found.append(_candidate(document, 2 if match["language"].lower() in _JSON_LANGUAGES else 1, node))
        # An opening and its closing fence look alike; what follows the closing one is no block.
        closing = _FENCE.match(text, close)
        match = _FENCE.search(text, closing.end() if closing else len(text))
    return found


def _in_prose(text: str, start: int, node: SchemaNode | None) -> list[_Candidate]:
    """Every object and array in a text that holds at least one value and can be read.

    Nothing inside one that cannot be read counts: its pointers would be those of another document.
    """
    found = []
    work = _MAX_WORK * len(text)
    match = _BRACKET.search(text, start)
    while match and work > 0:
        document = scan(text, match.start())
        work -= document.end - match.start() + 1
        if document.state not in ("complete", "truncated"):
            behind = _behind_brackets(text, match.start())
            work -= behind - match.start()
            if behind == len(text) and _BEGINS_JSON.match(text, match.start()):
                break  # broken, and cut off as well
            match = _BRACKET.search(text, match.end() if behind == len(text) else behind)
            continue
        if len(document.values) > 1:
            found.append(_candidate(document, 0, node))
        match = _BRACKET.search(text, document.end)
    return found


def _candidate(document: Document, place: int, node: SchemaNode | None) -> _Candidate:
    root = document.values[0]
    keys = {value.key for value in document.values if value.parent == 0}
    complete = document.state == "complete"
    fits = node is not None and node.fits(root.kind, keys, complete=complete)
    return _Candidate(fits, complete, place, _weight(document), root.start, document)


def _weight(document: Document) -> int:
    """How much of an answer a document looks like: data, a list, or a citation such as [1]."""
    if any(value.kind == "object" for value in document.values):
        return 2
    return 0 if len(document.values) == 2 and document.values[1].kind == "number" else 1


def _behind_brackets(text: str, start: int) -> int:
    """Offset behind the bracket that closes the one at `start`, whatever is between; the end of the text if none."""
    depth = 0
    for match in _BRACKET_OR_STRING.finditer(text, start):
        if match.group() in {"{", "["}:
            depth += 1
        elif match.group() in {"}", "]"}:
            depth -= 1
            if depth == 0:
                return match.end()
    return len(text)
