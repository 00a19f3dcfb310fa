"""What the model nearly said in the place of a token."""

from __future__ import annotations

from rich.text import Text

from langchain_logprobs.view.answer import Token
from langchain_logprobs.view.terminal.flow import Flow
from langchain_logprobs.view.terminal.pen import decimal
from langchain_logprobs.view.terminal.shading import token_text

WORTH_NAMING = 0.01
"""An alternative less probable than this was not nearly said."""

_MOST = 3


def nearly_said(token: Token, before: str = "") -> Flow | None:
    """Return the alternatives of a token side by side, None where they are not known.

    Args:
        token: The token.
        before: What to say in front of them.
    """
    if not token.alternatives:
        return None
    others = [item for item in token.alternatives if item[1] >= WORTH_NAMING][:_MOST]
    if not others:
        return Flow([Text("nothing else was near", "dim")])
    # A space in front is shown only where it is what tells two of them apart.
    show_space = len({text[:1] == " " for text, _ in (*others, (token.text or "", 0.0))}) > 1
    texts = []
    for position, (text, probability) in enumerate(others):
        first = Text.assemble((before, "dim")) if position == 0 else Text()
        strength = "bold" if position == 0 and token.off_top1 else "dim"
        texts.append(first.append(token_text(text, show_space=show_space)).append(f" {decimal(probability)}", strength))
    return Flow(texts, between=" · ")
