r"""The bytes that a token stands for, in every form in which servers spell them.

A character of several bytes can be cut over several tokens. What a token holds then is no text, and servers write it
in five ways (the wire forms):

    OpenAI chat, DeepSeek       token "\xf0\x9f" (the escapes as literal text), the true bytes beside it
    OpenAI completions          token "bytes:\xf0\x9f", no bytes
    Ollama, older vLLM          token "\ufffd", and its bytes, which are those of U+FFFD: the true ones are lost
    newer vLLM                  token "" for the beginning, the whole character on the last token
    SGLang (third-party report) each byte as the Latin-1 character of that number
"""

from __future__ import annotations

import re

from langchain_logprobs.formats.tokens import Alternative, TokenLogprob

REPLACEMENT = "\ufffd"
"""What a decoder shows for bytes that are no character."""

_ESCAPES = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
_SPECIAL = re.compile(
    r"<\|[^<>\s]*\|>|</?s>|<(?:bos|eos|pad|unk|eot|endoftext|start_of_turn|end_of_turn)>|\[/?(?:INST|EOS|BOS|PAD)\]"
)
_END_OF_REASONING = re.compile(
    r"</(?:\w+:)?(?:think|thinking|thought|reasoning|reason)>|\[/THINK\]|◁/think▷"
    r"|<\|(?:END_THINKING|end_of_thought|/think)\|>|<\|channel\|>final<\|message\|>"
)


def utf8(text: str) -> bytes:
    """Return the UTF-8 bytes of a text; lone surrogates, which a JSON escape can bring in, are encoded as they are."""
    return text.encode("utf-8", "surrogatepass")


def token_bytes(token: TokenLogprob | Alternative) -> bytes:
    """Return the bytes of a token as the server meant them: the bytes it sent, else those of the token's text."""
    if token.bytes:
        return token.bytes
    if token.token.startswith("bytes:\\x"):
        return _unescape(token.token.removeprefix("bytes:"))
    return utf8(token.token)


def escaped_bytes(token: TokenLogprob) -> bytes:
    r"""Return the bytes of a token in the literal-escape form whose bytes were lost on the way (" \xf0\x9f")."""
    return token.bytes or _unescape(token.token.removeprefix("bytes:"))


def text_bytes(token: TokenLogprob) -> bytes:
    """Return the bytes of the token's text, for a server whose bytes are wrong."""
    return utf8(token.token)


def unspecial_bytes(token: TokenLogprob) -> bytes:
    """Return the token's bytes, none for a special token: servers leave them out of the text, in its middle too."""
    return b"" if is_special(token) else token_bytes(token)


def latin1_bytes(token: TokenLogprob) -> bytes:
    """Return the token's bytes where each was written as the Latin-1 character of that number."""
    try:
        return token.token.encode("latin-1")
    except UnicodeEncodeError:
        return token_bytes(token)


def lost_bytes(token: TokenLogprob | Alternative) -> bool:
    """Return whether some of the token's bytes are lost: it shows U+FFFD, and its bytes are only those of U+FFFD."""
    return REPLACEMENT in token.token and (not token.bytes or token.bytes == utf8(token.token))


def is_special(token: TokenLogprob) -> bool:
    """Return whether the token's text looks like a control token of a chat template, end-of-text and the like."""
    return _SPECIAL.fullmatch(token.token) is not None


def ends_reasoning(text: str) -> bool:
    """Return whether the end mark of a reasoning part is in the text."""
    return _END_OF_REASONING.search(text) is not None


def reasoning_end(text: str) -> int:
    """Return the offset behind the last end mark of a reasoning part; 0 where there is none."""
    offset = 0
    for match in _END_OF_REASONING.finditer(text):
        offset = match.end()
    return offset


def _unescape(text: str) -> bytes:
    pieces = []
    end = 0
    for match in _ESCAPES.finditer(text):
        pieces += [utf8(text[end : match.start()]), bytes.fromhex(match.group().replace("\\x", ""))]
        end = match.end()
    return b"".join([*pieces, utf8(text[end:])])
