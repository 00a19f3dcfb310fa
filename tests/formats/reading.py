"""Reading one container, and comparing what came of it."""

from __future__ import annotations

from typing import Any

from langchain_logprobs.formats.entries import Reading
from langchain_logprobs.formats.read import read_container


def read(container: Any, text: str | None = None) -> Reading:
    reading = Reading()
    read_container(container, reading, text)
    return reading


def pairs(tokens: Any) -> list[tuple[str, float | None]]:
    return [(each.token, each.logprob) for each in tokens]
