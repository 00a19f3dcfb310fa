"""How a patch of an integration is described, applied, counted and taken off again.

A patch is a list of attributes (module functions, methods) that are each replaced by a wrapper. It is applied once,
however many callers ask for it, and taken off when the last of them has undone it.
"""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

logger: logging.Logger = logging.getLogger("langchain_logprobs")

Wrap = Callable[[Callable[..., Any]], Callable[..., Any]]


class Replacement(NamedTuple):
    """An attribute to replace: `owner.name` becomes `wrap(owner.name)`.

    Attributes:
        owner: What has the attribute.
        name: The attribute.
        wrap: Makes the new one of the old one.
        same_kind: Whether what `wrap` makes is put there as it is, because others may ask whether it is a generator or
            a coroutine function. It must then do no harm when it is called after the patch was taken off.
    """

    owner: Any
    name: str
    wrap: Wrap
    same_kind: bool = False


@dataclass(frozen=True)
class Patch:
    """What one integration needs.

    Attributes:
        integration: The name that `recover_dropped_logprobs` takes.
        distribution: The package that is patched, as it is called on PyPI.
        first: The oldest version of it that the patch was tested with.
        below: The first version that it was not tested with.
        replacements: Imports the integration and says what to replace. Called only when the patch is applied.
        models: Class names of the models whose logprobs it recovers.
        purpose: What does not happen without it.
    """

    integration: str
    distribution: str
    first: str
    below: str
    replacements: Callable[[], Iterable[Replacement]]
    models: frozenset[str] = frozenset()
    purpose: str = ""

    @property
    def loss(self) -> str:
        """What its absence means, for the log."""
        return f"{self.purpose or f'logprobs that {self.distribution} drops are not recovered'}"

    @property
    def versions(self) -> str:
        """The tested range, as pip spells it."""
        return f">={self.first},<{self.below}"

    def installed(self) -> str | None:
        """The installed version of the distribution, or None."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return None

    def tested_with(self, version: str) -> bool:
        """Whether a version is in the tested range.

        A pre-release counts where its number lies: 1.7.5rc1 is in `>=1.0.3,<1.8`, and 1.8.0rc1, which is not known to
        be like 1.7, is not.
        """
        from packaging.specifiers import SpecifierSet  # 10 ms, for those who apply a patch

        try:
            return SpecifierSet(self.versions).contains(version, prereleases=True)
        except ValueError:  # no version that PEP 440 knows
            return False


class _Installed:
    """One replaced attribute, and how to put the original back."""

    def __init__(self, owner: Any, name: str, wrap: Wrap, same_kind: bool) -> None:
        original = getattr(owner, name)
        wrapped = wrap(original)
        self._owner, self._name, self._original = owner, name, original
        self._inherited = name not in vars(owner)
        self._on = True

        @functools.wraps(original)
        def recovering(*args: Any, **kwargs: Any) -> Any:
            return (wrapped if self._on else original)(*args, **kwargs)

        self._recovering = functools.wraps(original)(wrapped) if same_kind else recovering
        setattr(owner, name, self._recovering)

    def undo(self) -> None:
        self._on = False
        # Somebody else may have wrapped our wrapper since. Then putting the original back would take theirs off too:
        # ours stays below theirs, switched off.
        if vars(self._owner).get(self._name) is not self._recovering:
            return
        if self._inherited:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._original)


_lock = threading.RLock()
_applied: dict[str, list[_Installed]] = {}
_callers: dict[str, int] = {}
_said: set[str] = set()


def apply(patch: Patch) -> bool:
    """Apply a patch, or count one more caller of it if it is on already.

    Args:
        patch: The patch.

    Returns:
        Whether it is on. If not, a warning has said why (once for each reason).
    """
    with _lock:
        name = patch.integration
        if name in _applied:
            _callers[name] += 1
            return True
        version = patch.installed()
        if version is None:
            _say_once(f"{patch.distribution} is not installed: {patch.purpose or 'no logprobs of it to recover'}")
            return False
        if not patch.tested_with(version):
            _say_once(
                f"{patch.loss}: version {version} of {patch.distribution} is installed, "
                f"and the patch was tested with {patch.versions}"
            )
            return False
        installed: list[_Installed] = []
        try:
            for replacement in patch.replacements():
                installed.append(_Installed(*replacement))
        except Exception as error:
            for each in reversed(installed):
                each.undo()
            _say_once(f"{patch.loss} with {patch.distribution} {version}: {error!r}")
            return False
        _applied[name], _callers[name] = installed, 1
        return True


def is_on(patch: Patch) -> bool:
    """Whether a patch is applied."""
    return patch.integration in _applied


def release(patch: Patch) -> None:
    """Take a patch off if this was its last caller."""
    with _lock:
        name = patch.integration
        _callers[name] -= 1
        if _callers[name] == 0:
            del _callers[name]
            for each in reversed(_applied.pop(name)):
                each.undo()


def after(integration: str, add: Callable[..., None]) -> Wrap:
    """A wrapper that calls `add(result, *args, **kwargs)` on what the original has just made.

    The result is the integration's own, fresh and not yet the user's, so `add` may write to it. What `add` raises
    never reaches the user's call. Its first parameters are positional only: a keyword can have any name.
    """

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def adding(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            guarded(integration, add, result, *args, **kwargs)
            return result

        return adding

    return wrap


def guarded(integration: str, act: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call `act`; what it raises becomes one log line (for each integration and kind of error) and None."""
    try:
        return act(*args, **kwargs)
    except Exception as error:
        _say_once(f"could not recover logprobs of {integration}: {type(error).__name__}", error)
        return None


def keep(generation: Any, logprobs: Mapping[str, Any] | None) -> None:
    """Put logprobs into a generation's `generation_info["logprobs"]`.

    Leaves alone a generation that has logprobs already, here or in its message: its integration then keeps them by
    itself, and its own account of them counts.

    Args:
        generation: A generation or a chunk of one, still the integration's own.
        logprobs: In OpenAI's shape. Nothing happens if no list in it has an entry.
    """
    if logprobs and any(logprobs.values()) and not has_logprobs(generation):
        generation.generation_info = {**(generation.generation_info or {}), "logprobs": dict(logprobs)}


def has_logprobs(generation: Any) -> bool:
    """Whether a generation carries logprobs where LangChain puts them."""
    message = getattr(generation, "message", None)
    places = (generation.generation_info or {}, getattr(message, "response_metadata", {}))
    return any(place.get("logprobs") is not None for place in places)


def _say_once(text: str, error: Exception | None = None) -> None:
    # A failure can repeat with every token of every stream.
    if text not in _said:
        _said.add(text)
        logger.warning(text, exc_info=error)
