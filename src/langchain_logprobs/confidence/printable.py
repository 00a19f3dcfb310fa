"""Model output and probabilities as a person may see them: safe to print, and short."""

from __future__ import annotations

import unicodedata


def printable(text: str, *, keep_lines: bool = False) -> str:
    r"""Return model output that is safe to print: no character of it can move the cursor, hide or reorder text.

    Control characters become their pictures (`␛`), invisible and direction-changing ones their code (`<U+202E>`), lone
    surrogates `\ud83d`.

    Args:
        text: What the model wrote.
        keep_lines: Leave newlines as they are; otherwise they become `⏎`.

    Example:
        >>> printable("red\x1b[31m")
        'red␛[31m'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable(character, keep_lines) for character in text)


def _printable(character: str, keep_lines: bool) -> str:
    if character == "\n":
        return "\n" if keep_lines else "⏎"
    if character == "\t":
        return "⇥"
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    category = unicodedata.category(character)
    if category == "Cs":
        return f"\\u{code:04x}"
    # Zero-width joiners hold emoji and several scripts together: they stay.
    if category in ("Cc", "Cf", "Zl", "Zp") and code not in (0x200C, 0x200D):
        return f"<U+{code:04X}>"
    return character


def decimal(probability: float | None) -> str:
    """Return a probability as a person reads it in a sentence: `.41`, `<.01`, `1.0`; of none `?`.

    Example:
        >>> [decimal(each) for each in (0.4149, 0.002, 0.9999, None)]
        ['.41', '<.01', '1.0', '?']
    """
    if probability is None:
        return "?"
    if 0.0 < probability < 0.005:
        return "<.01"
    shown = f"{probability:.2f}"
    return "1.0" if shown == "1.00" else shown.removeprefix("0")
