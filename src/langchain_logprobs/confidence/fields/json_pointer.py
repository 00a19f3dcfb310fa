"""JSON Pointers (RFC 6901): the one place where their parts are escaped, joined and split."""

from __future__ import annotations

from collections.abc import Iterable


def escape(part: str | int) -> str:
    """Return a key or an index as it stands in a pointer.

    Example:
        >>> escape("a/b~")
        'a~1b~0'
    """
    if isinstance(part, int):
        return str(part)
    return part.replace("~", "~0").replace("/", "~1") if "~" in part or "/" in part else part


def unescape(part: str) -> str:
    """Return the key that a part of a pointer stands for.

    Example:
        >>> unescape("a~1b~0")
        'a/b~'
    """
    return part.replace("~1", "/").replace("~0", "~") if "~" in part else part


def join(parts: Iterable[str | int]) -> str:
    """Return the pointer that leads through these keys and indices; "" for none, which is the whole document.

    Example:
        >>> join(["items", 0, "a/b"])
        '/items/0/a~1b'
    """
    return "".join(["/" + escape(part) for part in parts])


def split(pointer: str) -> list[str]:
    """Return the keys of a pointer, indices among them as text; what stands before the first slash is left out.

    Example:
        >>> split("/items/0/a~1b")
        ['items', '0', 'a/b']
    """
    return [unescape(part) for part in pointer.split("/")[1:]]
