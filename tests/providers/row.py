"""What one row of table.py says about an integration."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from tests.providers.wire import Answer

RECORDED = "recorded"
MISSING = "missing"
UNTOLD = "not_requested"
"""Asked for, but LangChain's callbacks are not told so: the class keeps its arguments to itself."""

RAISES = "raises"
"""LangChain cannot merge the chunks and raises into the user's code; the span is `partial` and has every token."""

LAST = "last token"
"""LangChain keeps the last chunk's logprobs alone, and the class calls no token callback; the span is `partial`."""


@dataclass(frozen=True)
class Row:
    """One integration, asked in one way.

    Attributes:
        package: Its name on PyPI.
        module: Where its class is imported from.
        name: Its class.
        at: Makes the constructor's arguments from the local server's address, without those that ask for logprobs.
        serve: What the server answers.
        source: The wire format, as `logprobs.source` names it; None where nothing comes.
        stream_source: The same for a stream, where it is another.
        constructor: The constructor's arguments that ask for logprobs.
        bound: What asks for logprobs with `.bind()`, where the constructor can not.
        invoke: The status after invoke and ainvoke.
        stream: The status after stream and astream; None where it takes what a test cannot have.
        v3: The status after stream_events(version="v3") and its async form; None where the class has no such path.
        variant: What tells the row from another one of the same class.
        note: What a user should know, for the page.
        recovery: The name that recover_dropped_logprobs takes for it; None where there is nothing to recover with.
        sent: Whether the request asks for logprobs at all.
        no_async: Why its async calls cannot be tested against a local server; empty where they can.
        stands_in: Modules put in place of what the package needs and a test cannot have; empty where the package
            talks to the local server.
        warns: Filters for warnings of its package, which the tests would turn into errors.
    """

    package: str
    module: str
    name: str
    at: Callable[[str], Mapping[str, Any]]
    serve: Answer
    source: str | None = "openai.chat"
    stream_source: str | None = None
    constructor: Mapping[str, Any] = field(default_factory=dict)
    bound: Mapping[str, Any] = field(default_factory=dict)
    invoke: str = RECORDED
    stream: str | None = RECORDED
    v3: str | None = RECORDED
    variant: str = ""
    note: str = ""
    recovery: str | None = None
    sent: bool = True
    no_async: str = ""
    stands_in: Mapping[str, Callable[[], ModuleType]] = field(default_factory=dict)
    warns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}-{self.variant}".rstrip("-").replace(" ", "_")

    @property
    def asks(self) -> bool:
        """Whether there is a way to ask at all."""
        return bool(self.constructor or self.bound)

    def make(self, url: str, *, ask: bool = True) -> Any:
        """Make the model against a local server, asking for logprobs or not."""
        made = load(self.module, self.name)(**self.at(url), **(self.constructor if ask else {}))
        return made.bind(**self.bound) if ask and self.bound else made


def load(module: str, name: str) -> Any:
    """Import late: a row's package is installed in one of the environments only."""
    return getattr(importlib.import_module(module), name)
