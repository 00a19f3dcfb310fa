"""A real model that thinks before it answers: the headline is the answer's alone, computed again from HTTP.

SmolLM2 does not think by itself; a grammar makes it write a thought between marks, each of which it spells in several
tokens.
"""

from __future__ import annotations

import math

import pytest

from tests.e2e.paths import chat_model
from tests.e2e.proxy import RecordingProxy
from tests.e2e.tracing import Traced, attributes

THOUGHT = r'"<think>\n" [a-zA-Z ,.]{20,60} "\n</think>\n\n"'
GRAMMARS = {
    "prose": rf"root ::= {THOUGHT} [a-zA-Z ,.]{{10,40}}",
    "json": rf'root ::= {THOUGHT} "{{\"city\": \"" [a-zA-Z]{{3,9}} "\", \"warm\": " ("true" | "false") "}}"',
    "no begin mark": r'root ::= [a-zA-Z ,.]{20,60} "\n</think>\n\n" [a-zA-Z ,.]{10,40}',
}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("form", GRAMMARS)
def test_the_headline_is_the_answer_s_alone(form: str, streamed: bool, wire: RecordingProxy, traced: Traced) -> None:
    model = chat_model(wire.url, temperature=0, max_tokens=90, extra_body={"grammar": GRAMMARS[form]})
    question = "Is it warm in Lima?"
    if streamed:
        list(model.stream(question, config=traced.config))
    else:
        model.invoke(question, config=traced.config)

    (exchange,) = wire.exchanges
    (call,) = traced.calls
    found = attributes(call)
    # By hand: a token is of the part in which it begins; white space alone is of none, and the end mark has no text.
    joined = "".join(exchange.tokens())
    first = len("<think>") if joined.startswith("<think>") else 0
    last = joined.index("</think>")
    begins = len(joined) - len(joined.split("</think>")[1].lstrip())
    counted, thought = [], []
    at = 0
    for token, logprob in exchange.pairs():
        if token and at >= begins:
            counted.append(logprob)
        elif token.strip() and first <= at < last:
            thought.append(logprob)
        at += len(token)
    assert found["logprobs.status"] == "recorded"
    assert found["logprobs.token.count"] == len(counted)
    assert found["logprobs.confidence.score"] == pytest.approx(math.exp(math.fsum(counted) / len(counted)), rel=1e-12)
    assert found["logprobs.reasoning.token.count"] == len(thought)
    assert found["logprobs.reasoning.mean"] == pytest.approx(math.fsum(thought) / len(thought), rel=1e-12)
    if form == "json":
        assert found["logprobs.fields.paths"] == ("/city", "/warm")
        assert found["logprobs.confidence.basis"] == "fields"
    assert "think" not in str(found["logprobs.answer"])
