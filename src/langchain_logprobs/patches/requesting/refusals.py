"""Which models refuse logprobs: learnt from their refusals, so that each is asked in vain once at the most."""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple

from langchain_logprobs.capture.failures import speaks_of_logprobs, status_in

logger: logging.Logger = logging.getLogger("langchain_logprobs")

State = Literal["accepts", "refuses", "unclear"]
"""What is known of a kind of call; `unclear` where a call failed with and without asking, and nothing is known."""

_MAY_REFUSE = frozenset({400, 403, 404, 405, 415, 422, 500, 501})
"""HTTP statuses of servers that refuse what they do not know, or break on it. They may mean anything else as well."""

_MOST_REMEMBERED = 10_000
_known: dict[Kind, State] = {}


class Kind(NamedTuple):
    """Calls that are refused alike.

    Attributes:
        class_name: The model's class.
        endpoint: The address that it talks to; empty where it is the provider's own.
        model: The model's name.
        with_tools: Whether tools are offered, as some servers refuse only both together.
        reasoning: The reasoning effort that is asked for, as some models refuse only with one; empty for none.
    """

    class_name: str
    endpoint: str
    model: str
    with_tools: bool = False
    reasoning: str = ""

    @property
    def plain(self) -> Kind:
        """The same without what a call can have beside its question: who refuses there refuses always."""
        return self._replace(with_tools=False, reasoning="")


def is_refused(kind: Kind) -> bool:
    """Tell whether a call of this kind would be asked in vain."""
    return "refuses" in (_known.get(kind), _known.get(kind.plain))


def may_be_refusal(kind: Kind, error: Exception) -> bool:
    """Tell whether an error can come from asking, so that the call is worth another try without.

    It does where the error speaks of logprobs. Where it does not, it may as long as this kind of call has neither
    been answered nor failed without asking too.
    """
    if speaks_of_logprobs(error):
        return True
    return kind not in _known and status_in(error) in _MAY_REFUSE


def accept(kind: Kind) -> None:
    """Note that a call of this kind was asked and answered."""
    if _known.get(kind) != "refuses":
        _note(kind, "accepts")


def refuse(kind: Kind) -> State | None:
    """Note a refusal; returns what was known before."""
    before = _known.get(kind)
    _note(kind, "refuses")
    return before


def take_back(kind: Kind, before: State | None) -> None:
    """Note that a refusal was none: the call failed without asking, too."""
    _note(kind, before or "unclear")


def _note(kind: Kind, state: State) -> None:
    if kind not in _known and len(_known) >= _MOST_REMEMBERED:
        _known.clear()
    _known[kind] = state


def say(kind: Kind, refusal: str) -> None:
    """Say in the log that a kind of call was refused, and is not asked any more."""
    model = f"{kind.class_name} (model {kind.model or 'unknown'})"
    logger.warning("%s refused logprobs with %s and answered without them; it is not asked again", model, refusal)
