"""The JSON documents in a file: one, one a line, or one after the other in any layout; gzip and UTF-16 are undone."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from typing import Any

from langchain_logprobs.view.sources.problems import SourceError

MAX_BYTES = 512 * 1024 * 1024
"""More than this is not unpacked."""

_BLANK = " \t\n\r"
_OTHER_FORMATS = {
    b"\x28\xb5\x2f\xfd": ("zstd", "Unpack it with `zstd -d` first."),
    b"PK\x03\x04": ("a zip archive", "Unpack it with `unzip` first."),
    b"BZh": ("bzip2", "Unpack it with `bunzip2` first."),
    b"\xfd7zXZ": ("xz", "Unpack it with `unxz` first."),
}
_CURE = (
    'It takes OTLP JSON, {"resourceSpans": [...]} on each line or as one document, and what Jaeger, Phoenix, Zipkin '
    "and Tempo give for download. FileSpanExporter of the package opentelemetry-exporter-otlp-json-file writes such a "
    "file. If the program was stopped while it wrote, delete that line."
)


def documents(raw: bytes, name: str) -> Iterator[tuple[Any, int]]:
    """Yield each JSON document and the line on which it starts.

    Args:
        raw: The bytes of a file.
        name: What to call it in a message.

    Raises:
        SourceError: It is of another format, or not JSON from some line on.
    """
    text = _text(unpacked(raw, name), name)
    decoder = json.JSONDecoder()
    position = line = 0
    counted = 0
    while True:
        position = _skip_blank(text, position)
        if position == len(text):
            return
        line += text.count("\n", counted, position)
        counted = position
        try:
            document, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise not_readable(name, line + 1, error) from error
        yield document, line + 1


def not_readable(name: str, line: int, error: Exception) -> SourceError:
    """Return what to say of a document that is not what it should be."""
    said = str(error) if isinstance(error, SourceError) else f"{type(error).__name__}: {error}"
    return SourceError(f"{name}, line {line}: not an OTLP export request in JSON ({said}).\n{_CURE}")


def unpacked(raw: bytes, name: str) -> bytes:
    """Return the bytes, those of gzip unpacked.

    Raises:
        SourceError: The gzip data are damaged, or larger than anybody's traces.
    """
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
            plain = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{name}: damaged gzip data ({error}).\nWas it copied as a whole?") from error
    if len(plain) > MAX_BYTES:
        raise SourceError(f"{name} is larger than {MAX_BYTES >> 20} MiB when it is unpacked. Take one trace of it.")
    return plain


def _text(raw: bytes, name: str) -> str:
    for start, (kind, cure) in _OTHER_FORMATS.items():
        if raw.startswith(start):
            raise SourceError(f"{name} is {kind}, which is not read.\n{cure}")
    first = raw.lstrip()[:20].lower()
    if first.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise SourceError(f"{name} is a web page, not a trace.\nIn the backend, look for a download as JSON.")
    if (
        first[:1] not in (b"", b"{", b"[")
        and b"\x00" not in raw[:4]
        and not raw.startswith((b"\xff", b"\xfe", b"\xef"))
    ):
        what = "binary data, perhaps OTLP as protobuf" if raw[:1] == b"\x0a" or not raw[:64].isascii() else "not JSON"
        raise not_readable(name, 1, SourceError(what))
    encoding = json.detect_encoding(raw)
    # Tokens can hold lone surrogates, and a file can be cut in the middle of a character.
    text = raw.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")
    return text.removeprefix("\ufeff")


def _skip_blank(text: str, position: int) -> int:
    while position < len(text) and text[position] in _BLANK:
        position += 1
    return position
