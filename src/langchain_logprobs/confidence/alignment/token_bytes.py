r"""The bytes that a token stands for, in every form in which servers spell them.

A character of several bytes can be cut over several tokens. What a token holds then is no text, and servers write it
in six ways (the wire forms):

    OpenAI chat, DeepSeek       token "\xf0\x9f" (the escapes as literal text), the true bytes beside it
    OpenAI completions          token "bytes:\xf0\x9f", no bytes
    Ollama, older vLLM          token "\ufffd", and its bytes, which are those of U+FFFD: the true ones are lost
    llama-cpp-python            token "", no bytes: the true ones are lost too
    newer vLLM                  token "" and an empty list of bytes, the whole character on the last token
    SGLang (third-party report) each byte as the Latin-1 character of that number

Some servers do not decode at all. They send the strings of the tokenizer's vocabulary, sometimes with the UTF-8 of
these strings as bytes:

    byte-level BPE (GPT-2's)    "Ġblue" for " blue", "Ċ" for a newline, "æĺ¯" for "是": a character for each byte
    SentencePiece               "▁blue" for " blue", "<0x0A>" for a byte
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from langchain_logprobs.formats.tokens import Alternative, TokenLogprob

REPLACEMENT = "\ufffd"
"""What a decoder shows for bytes that are no character."""

_ESCAPES = re.compile(r"(?:\\x[0-9a-fA-F]{2})+")
SPECIAL = re.compile(
    r"<[|｜][^<>\s]*[|｜]>|</?s>|<(?:bos|eos|pad|unk|eot|endoftext|start_of_turn|end_of_\w+|\w+:eos)>"
    r"|\[/?(?:INST|EOS|BOS|PAD)\]|\[e~\["
)
"""A control token of a chat template."""

# GPT-2's map: a printable Latin-1 character stands for its own number, the 68 others for the rest, from U+0100 on.
_BYTE_LEVEL = re.compile("[!-~¡-¬®-\u0143]+")
_UNMAPPED = [*range(0x21), *range(0x7F, 0xA1), 0xAD]
_BYTE_LEVEL_MAP = {0x100 + at: byte for at, byte in enumerate(_UNMAPPED)}
_BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE_PIECE = "▁"


def utf8(text: str) -> bytes:
    """Return the UTF-8 bytes of a text; lone surrogates, which a JSON escape can bring in, are encoded as they are."""
    return text.encode("utf-8", "surrogatepass")


def bytes_of(tokens: Sequence[TokenLogprob]) -> list[bytes | None]:
    """Return the bytes that the server sent of each token; None where it sent none."""
    return [token.bytes for token in tokens]


def token_bytes(token: TokenLogprob | Alternative) -> bytes:
    """Return the bytes of a token as the server meant them: the bytes it sent, else those of the token's text."""
    return plain_bytes(token.token, token.bytes)


def plain_bytes(word: str, raw: bytes | None) -> bytes:
    """Return the bytes of a token's text and bytes, see `token_bytes`."""
    if raw:
        return raw
    if word.startswith("bytes:\\x"):
        return _unescape(word.removeprefix("bytes:"))
    return utf8(word)


def escaped_bytes(word: str, raw: bytes | None) -> bytes:
    r"""Return the bytes of a token in the literal-escape form whose bytes were lost on the way (" \xf0\x9f")."""
    return raw or _unescape(word.removeprefix("bytes:"))


def byte_level_bytes(word: str, raw: bytes | None) -> bytes:
    """Return the bytes of a token that is spelled in the vocabulary of a byte-level BPE tokenizer."""
    if (raw and raw != utf8(word)) or not _BYTE_LEVEL.fullmatch(word):
        return plain_bytes(word, raw)
    return word.translate(_BYTE_LEVEL_MAP).encode("latin-1")


def sentencepiece_bytes(word: str, raw: bytes | None) -> bytes:
    """Return the bytes of a token that is spelled in the vocabulary of a SentencePiece tokenizer."""
    if raw and raw != utf8(word):
        return raw
    byte = _BYTE_PIECE.fullmatch(word)
    return bytes.fromhex(byte[1]) if byte else utf8(word.replace(_SPACE_PIECE, " "))


def latin1_bytes(word: str, raw: bytes | None) -> bytes:
    """Return the token's bytes where each was written as the Latin-1 character of that number."""
    try:
        return word.encode("latin-1")
    except UnicodeEncodeError:
        return plain_bytes(word, raw)


def text_bytes(word: str, _: bytes | None) -> bytes:
    """Return the bytes of a token's text, for a server whose bytes are wrong."""
    return utf8(word)


Spelling = Callable[[str, bytes | None], bytes]
"""A way to read a token: the bytes that it stands for, from its text and the bytes that came with it."""

_SPELLINGS: Sequence[tuple[Callable[[str], bool], Spelling]] = (
    (lambda _: True, plain_bytes),
    (lambda _: True, text_bytes),
    (lambda joined: "\\x" in joined, escaped_bytes),
    (lambda joined: not joined.isascii(), byte_level_bytes),
    (lambda joined: _SPACE_PIECE in joined or "<0x" in joined, sentencepiece_bytes),
    (lambda joined: not joined.isascii(), latin1_bytes),
)
"""Every way to read the tokens, the likeliest first, each behind a test whether it can say anything new."""


def readings(words: Sequence[str], raws: Sequence[bytes | None]) -> Iterator[tuple[Spelling, list[bytes]]]:
    """Yield the bytes of all tokens in each way to read them; each also without special tokens, where there are any.

    Servers leave special tokens out of the text, in its middle too. Ways that come to the same are yielded once.

    Args:
        words: The texts of the tokens.
        raws: The bytes that came with them.

    Yields:
        The way to read them and the bytes of every token, the likeliest way first.
    """
    joined = "".join(words)
    special = {index for index, word in enumerate(words) if word.endswith((">", "]", "[")) and is_special(word)}
    seen: list[list[bytes]] = []
    for applies, spelling in _SPELLINGS:
        pieces = list(map(spelling, words, raws)) if applies(joined) else []
        if pieces and pieces not in seen:
            seen.append(pieces)
            yield spelling, pieces
            if special:
                yield spelling, [b"" if index in special else piece for index, piece in enumerate(pieces)]


def lost(word: str, raw: bytes | None) -> bool:
    """Return whether some of a token's bytes are lost.

    It shows U+FFFD and its bytes are only those of U+FFFD, or it shows nothing at all and no bytes came. An empty
    token whose list of bytes is empty is what it seems to be: an end mark that is not shown, or vLLM's beginning of a
    character that the next token shows.

    Args:
        word: The token's text.
        raw: The bytes that came with it; None where none did.
    """
    if not word:
        return raw is None
    return REPLACEMENT in word and (not raw or raw == utf8(word))


def is_special(word: str) -> bool:
    """Return whether a token's text looks like a control token of a chat template, end-of-text and the like."""
    return SPECIAL.fullmatch(word) is not None


def _unescape(text: str) -> bytes:
    pieces = []
    end = 0
    for match in _ESCAPES.finditer(text):
        pieces += [utf8(text[end : match.start()]), bytes.fromhex(match.group().replace("\\x", ""))]
        end = match.end()
    return b"".join([*pieces, utf8(text[end:])])
