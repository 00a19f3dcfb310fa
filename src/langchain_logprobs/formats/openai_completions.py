"""OpenAI's legacy completions: parallel lists `tokens`, `token_logprobs`, `top_logprobs` (a dict a position).

Together's chat answers and Fireworks' answers to an integer `logprobs` carry the same lists, with `token_ids`. The
first logprob is None when the prompt is echoed. A stream's last chunk has the lists, empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from langchain_logprobs.formats import openai_chat, tgi
from langchain_logprobs.formats.entries import (
    Reading,
    WireFormat,
    as_mapping,
    read_alternatives,
    read_number,
    spell_token_id,
)

_SPELLED_BYTES = re.compile(r"bytes:((?:[ -\[\]-~]|\\x[0-9a-fA-F]{2})+)")
r"""OpenAI spells a token that is no whole character as `bytes:` and `\xNN` escapes, and sends no bytes field."""


def read(container: Any, text: str | None, into: Reading) -> bool:
    """Append the tokens; a list that is too short leaves its value unknown, never the token out."""
    fields = container if type(container) is dict else as_mapping(container)
    if fields is None or not _is_completions(fields):
        return False
    tokens = _tokens(fields, into)
    logprobs, tops = (_list(fields, key, into) for key in ("token_logprobs", "top_logprobs"))
    if len(logprobs) != len(tokens):
        into.reject(f"{len(tokens)} tokens with {len(logprobs)} logprobs")
    for index, token in enumerate(tokens):
        if type(token) is not str:
            into.reject(f"a token of type {type(token).__name__}")
            continue
        logprob = read_number(logprobs[index], into) if index < len(logprobs) else None
        alternatives = tops[index] if index < len(tops) else None
        into.tokens.add(
            token,
            logprob,
            _spelled_bytes(token) if token.startswith("bytes:") else None,
            read_alternatives(alternatives, into) if alternatives else (),
        )
    return True


def size(container: Any) -> int | None:
    """Return the number of tokens."""
    fields = container if type(container) is dict else as_mapping(container)
    if fields is None or not _is_completions(fields):
        return None
    return len(_tokens(fields, Reading()))


def _is_completions(fields: Mapping[str, Any]) -> bool:
    if fields.get("tokens") or fields.get("token_logprobs"):
        return not openai_chat.has_entries(fields) and tgi.size(fields) is None
    # The last chunk of a stream and an answer without text have empty lists, or None.
    return ("tokens" in fields or "token_logprobs" in fields) and not openai_chat.has_key(fields)


def _tokens(fields: Mapping[str, Any], into: Reading) -> list[Any] | tuple[Any, ...]:
    tokens = _list(fields, "tokens", into)
    if tokens:
        return tokens
    ids = _list(fields, "token_ids", into)
    return [spell_token_id(each) if type(each) is int else each for each in ids]


def _list(fields: Mapping[str, Any], key: str, into: Reading) -> list[Any] | tuple[Any, ...]:
    value = fields.get(key)
    if isinstance(value, (list, tuple)):
        return value
    if value is not None:
        into.reject(f"{key!r} of type {type(value).__name__}")
    return ()


def _spelled_bytes(token: str) -> bytes | None:
    spelled = _SPELLED_BYTES.fullmatch(token)
    if spelled is None or "\\x" not in token:
        return None
    # latin-1 gives each escape back as one byte.
    return spelled[1].encode("ascii").decode("unicode_escape").encode("latin-1")


FORMAT = WireFormat("openai.completions", read, size)
