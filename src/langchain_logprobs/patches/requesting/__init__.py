"""Ask every model for logprobs, as its integration wants to be asked, with no change to the code that calls it.

`Settings.request_logprobs` switches this on, and only with the instrumentor: a handler cannot change a request.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from langchain_logprobs.patches import patching
from langchain_logprobs.patches.patching import Patch, Replacement
from langchain_logprobs.patches.recovery import recover_dropped_logprobs
from langchain_logprobs.patches.requesting.asking import WRAPS, Asker
from langchain_logprobs.patches.requesting.ways import WAYS, Way

AfterImport = Callable[[str, Callable[[Any], None]], None]
"""Calls a function with a module: at once where it is imported, or as soon as it is."""


def request_logprobs(top: int, *, keep: bool, after_import: AfterImport) -> Callable[[], None]:
    """Have every model asked that has a row in `ways.py`; nothing is imported for it.

    Args:
        top: How many alternatives a token.
        keep: Whether the logprobs stay on the messages.
        after_import: Tells when an integration's module is imported.

    Returns:
        A callable that undoes it. Calling it again does nothing.
    """
    asking = _Asking(top, keep)
    _active.append(asking)
    for module in dict.fromkeys(way.module for way in WAYS):
        if module in sys.modules:
            after_import(module, asking.patch)
        elif module not in _awaited:
            _awaited.add(module)
            after_import(module, _imported)
    return asking.undo


_active: list[_Asking] = []
_awaited: set[str] = set()


def _imported(module: ModuleType) -> None:
    for asking in list(_active):
        asking.patch(module)


class _Asking:
    """The patches of one `request_logprobs`, made as the integrations are imported."""

    def __init__(self, top: int, keep: bool) -> None:
        self._top, self._keep = top, keep
        self._lock = threading.Lock()
        self._on = True
        self._patched: set[str] = set()
        self._undo: list[Callable[[], None]] = []

    def patch(self, module: ModuleType) -> None:
        with self._lock:
            if not self._on or module.__name__ in self._patched:
                return
            self._patched.add(module.__name__)
            for way in WAYS:
                if way.module == module.__name__ and hasattr(module, way.owner):
                    self._apply(way, getattr(module, way.owner))

    def _apply(self, way: Way, owner: type) -> None:
        if way.recovery is not None:  # first, so that what it recovers is there to be taken off again
            self._undo.append(recover_dropped_logprobs(way.recovery))
        patch = Patch(
            integration=f"requesting from {way.module}.{way.owner}",
            distribution=way.distribution,
            first="0",  # LangChain's own methods are replaced, and a server's or a class's refusal is heard
            below="10000",
            replacements=lambda: _replacements(Asker(way, self._top, keep=self._keep), owner),
            models=frozenset(),
        )
        if patching.apply(patch):
            self._undo.append(lambda: patching.release(patch))

    def undo(self) -> None:
        with self._lock:
            if self in _active:
                _active.remove(self)
            self._on = False
            while self._undo:
                self._undo.pop()()


def _replacements(asker: Asker, owner: type) -> Iterable[Replacement]:
    for name, wrap in WRAPS.items():
        if asker.way.only is not None and name not in asker.way.only:
            continue
        method = getattr(owner, name, None)
        # What a class inherits from LangChain's bases calls its other methods, or says that it cannot stream.
        if method is not None and getattr(method, "__qualname__", "").split(".")[0] not in _BASES:
            yield Replacement(owner, name, wrap(asker))


_BASES = ("BaseChatModel", "BaseLLM")
