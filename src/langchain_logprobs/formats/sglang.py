"""SGLang's own API: a list of triples `[logprob, token id, text]`, under `output_token_logprobs` in `meta_info`.

The text is null unless the request asks for it (`return_text_in_logprobs`): then the tokens are spelled by id, or as
the chunk's text where it has one token alone. The alternatives stand apart, as a list of such triples a position.
"""

from __future__ import annotations

from typing import Any

from langchain_logprobs.formats.entries import (
    Reading,
    Spelled,
    WireFormat,
    as_mapping,
    is_number,
    read_number,
    spell_token_id,
)

KEY = "output_token_logprobs"
_TOPS_KEY = "output_top_logprobs"


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the tokens."""
    fields = None if isinstance(container, (list, tuple)) else as_mapping(container)
    triples = container if fields is None else fields.get(KEY)
    if fields is None and not _is_list_of_triples(container):
        return False
    if fields is not None and KEY not in fields:
        return False
    if not isinstance(triples, (list, tuple)):
        if triples is not None:
            into.reject(f"{KEY!r} of type {type(triples).__name__}")
        return True
    tops = fields.get(_TOPS_KEY) if fields is not None else None
    text_of_one = text if len(triples) == 1 else None
    for index, triple in enumerate(triples):
        spelled = _spelled(triple, "an entry", text_of_one, into)
        if spelled is not None:
            others = tops[index] if isinstance(tops, (list, tuple)) and index < len(tops) else None
            into.tokens.add(*spelled, _alternatives(others, into))
    return True


def size(container: Any) -> int | None:
    """Return the number of triples."""
    if isinstance(container, (list, tuple)):
        return len(container) if _is_list_of_triples(container) else None
    fields = as_mapping(container)
    if fields is None or KEY not in fields:
        return None
    return len(fields[KEY]) if isinstance(fields[KEY], (list, tuple)) else 0


def _is_list_of_triples(container: Any) -> bool:
    return isinstance(container, (list, tuple)) and any(map(_is_triple, container))


def _is_triple(value: Any) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        return False
    logprob, token_id, text = value
    return (logprob is None or is_number(logprob)) and type(token_id) is int and isinstance(text, str | None)


def _spelled(triple: Any, what: str, text: str | None, into: Reading) -> Spelled | None:
    if not _is_triple(triple):
        into.reject(f"{what} of type {type(triple).__name__} where a logprob, a token id and a text should be")
        return None
    own_text = triple[2]
    return own_text if own_text is not None else text or spell_token_id(triple[1]), read_number(triple[0], into), None


def _alternatives(tops: Any, into: Reading) -> list[Spelled]:
    if tops is None:
        return []
    if not isinstance(tops, (list, tuple)):
        into.reject(f"alternatives of type {type(tops).__name__}")
        return []
    return [each for top in tops if (each := _spelled(top, "an alternative", None, into)) is not None]


FORMAT = WireFormat("sglang", read, size)
