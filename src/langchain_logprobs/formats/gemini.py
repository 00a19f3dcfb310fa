"""Gemini's own API: `{"chosenCandidates": [...], "topCandidates": [{"candidates": [...]}, ...]}`, without bytes.

Its Python SDK spells the same `chosen_candidates`, `top_candidates` and `log_probability`. What
recover_dropped_logprobs brings back has OpenAI's shape already; this is for own classes that hand on what Google sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from langchain_logprobs.formats.entries import EntryKeys, Reading, WireFormat, as_mapping, read_entry


class _Spelling(NamedTuple):
    chosen: str
    tops: str
    keys: EntryKeys


_SPELLINGS: Final = (
    _Spelling("chosen_candidates", "top_candidates", EntryKeys(logprob="log_probability")),
    _Spelling("chosenCandidates", "topCandidates", EntryKeys(logprob="logProbability")),
)


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the tokens."""
    fields, spelling = _spelling(container)
    if fields is None or spelling is None:
        return False
    entries, tops = fields[spelling.chosen], fields.get(spelling.tops)
    if isinstance(entries, (list, tuple)):
        for index, entry in enumerate(entries):
            position = tops[index] if isinstance(tops, (list, tuple)) and index < len(tops) else None
            others = (as_mapping(position) or {}).get("candidates")
            read_entry(entry, into.tokens, into, tops=others, keys=spelling.keys)
    elif entries is not None:
        into.reject(f"{spelling.chosen!r} of type {type(entries).__name__}")
    return True


def size(container: Any) -> int | None:
    """Return the number of chosen tokens."""
    fields, spelling = _spelling(container)
    if fields is None or spelling is None:
        return None
    entries = fields[spelling.chosen]
    return len(entries) if isinstance(entries, (list, tuple)) else 0


def _spelling(container: Any) -> tuple[Mapping[str, Any] | None, _Spelling | None]:
    fields = None if isinstance(container, (list, tuple)) else as_mapping(container)
    if fields is None:
        return None, None
    return fields, next((each for each in _SPELLINGS if each.chosen in fields), None)


FORMAT = WireFormat("gemini", read, size)
