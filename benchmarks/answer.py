"""The answer that every benchmark uses: 2,000 tokens of English with their top 5, in the shape that OpenAI streams."""

from __future__ import annotations

import functools
import json
import math
import random
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult, LLMResult
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks

TOKENS = 2_000
TOP = 5
LOW_SHARE = 0.1
"""Share of the tokens with a probability under 0.2, the default threshold: some of everything a real answer has."""

MODEL = "gpt-4o-mini"
MESSAGES: list[BaseMessage] = [HumanMessage("How does a river shape the land that it runs through?")]
PARAMS: dict[str, Any] = {"model": MODEL, "temperature": 0.7, "logprobs": True, "top_logprobs": TOP}
METADATA: dict[str, Any] = {"ls_provider": "openai", "ls_model_name": MODEL, "ls_model_type": "chat"}

_TEXT = """
A river is never only water that runs downhill. It is a slow machine for moving stone, and over a few thousand years
it will move almost anything that stands in its way. Near the source, where the slope is steep, the current is strong
enough to roll boulders along the bed, and each of them knocks chips from the rock beneath. The valley that results is
narrow and deep, with the shape of a letter V, because the stream cuts down faster than rain and frost can wear away
the sides. Waterfalls form where a hard layer of rock lies over a soft one: the soft rock is washed out, the hard edge
is left without support, and from time to time a piece of it breaks off, so that the fall retreats upstream by perhaps
a metre in a century.

Further down, the slope is gentle and the river begins to wander. Water on the outside of a bend travels faster than
water on the inside, so the outer bank is eroded while sand and gravel settle on the inner one. Bends therefore grow,
and because every bend sends the current against the opposite bank, one of them soon produces the next. When a loop has
become so tight that only a thin neck of land is left, a single flood may break through it; the old channel is cut off
and stays behind as a curved lake, which fills with silt, reeds and, in the end, trees.

The flat ground on both sides is the flood plain. It is built by the floods themselves: as soon as the water leaves its
channel it slows down, and whatever it cannot carry any longer is dropped, the coarse sand first, close to the bank,
and the fine clay much later and much further out. That is why there are often low natural walls along a river, called
levees, and why the best soil of a country is so often found where it is most dangerous to build a house. Farmers in
Egypt, for example, depended on such a layer of mud every year until the dams of the twentieth century kept it back.

Where the river meets the sea, it has to give up its load altogether. If waves and tides are weak, the sediment piles
up in front of the mouth, the channel splits around it, and a delta grows into the open water; the Mississippi has
added about 100 metres a year in some places. If the tides are strong, they carry everything away, and what remains is
a wide, funnel-shaped estuary. Neither of them is permanent. Sea level has risen by roughly 120 metres since the last
ice age, and most of the coasts that we know today are younger than the oldest cities.
"""


def _tokens() -> list[str]:
    """Cut the text as a byte-pair tokeniser would: a word with its space, long words in pieces, marks alone."""
    tokens = []
    for word in re.findall(r"\n\n| ?[A-Za-z]+| ?\d+|[^\w\s]", re.sub(r"(?<!\n)\n(?!\n)", " ", _TEXT.strip())):
        tokens += [word[start : start + 9] for start in range(0, len(word), 9)]
    return [tokens[index % len(tokens)] for index in range(TOKENS)]


def _entries() -> list[dict[str, Any]]:
    rng = random.Random(20)
    tokens = _tokens()
    vocabulary = sorted(set(tokens))

    def top(token: str, logprob: float) -> dict[str, Any]:
        return {"token": token, "bytes": list(token.encode()), "logprob": logprob}

    entries = []
    for token in tokens:
        if rng.random() < LOW_SHARE:
            probability = rng.uniform(0.01, 0.2)
        elif rng.random() < 0.6:
            probability = 1.0 - rng.random() ** 4 * 0.1 - 1e-7
        else:
            probability = rng.uniform(0.2, 0.95)
        logprob = math.log(probability)
        left = 1.0 - probability
        tops = [top(token, logprob)]
        while len(tops) < TOP:
            other = rng.choice(vocabulary)
            if any(other == known["token"] for known in tops):
                continue
            share = left * rng.uniform(0.3, 0.8)
            left -= share
            tops.append(top(other, math.log(share)))
        tops.sort(key=lambda entry: -entry["logprob"])
        entries.append({**top(token, logprob), "top_logprobs": tops})
    return entries


def _chunk(content: str, info: dict[str, Any] | None) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=content, id="run-1"), generation_info=info)


ENTRIES = _entries()


@functools.cache
def _sent(tokens: int) -> str:
    return json.dumps(ENTRIES[:tokens])


def fresh_chunks(tokens: int = TOKENS, *, logprobs: bool = True) -> list[ChatGenerationChunk]:
    """Return the chunks of the answer as a client makes them: objects that nobody has looked at.

    Objects that are used again and again stay in the processor's cache, which no application has.

    Args:
        tokens: How many of its tokens.
        logprobs: Whether they come with logprobs.
    """
    entries = json.loads(_sent(tokens))
    infos = [{"logprobs": {"content": [entry], "refusal": None}} if logprobs else None for entry in entries]
    return [
        _chunk("", None),  # OpenAI's first chunk has the role alone
        *(_chunk(entry["token"], info) for entry, info in zip(entries, infos, strict=True)),
        _chunk("", {"finish_reason": "stop", "model_name": MODEL, "logprobs": None}),
    ]


CHUNKS = fresh_chunks()


def result(chunks: Sequence[ChatGenerationChunk] = CHUNKS) -> LLMResult:
    """Return what LangChain ends a streamed run with: the merged chunks."""
    merged = merge_chat_generation_chunks(list(chunks))
    assert merged is not None
    return LLMResult(generations=[[merged]])


class StreamingModel(BaseChatModel):
    """A chat model that streams these chunks at once."""

    chunks: Any = CHUNKS
    model_name: str = MODEL

    @property
    def _llm_type(self) -> str:
        return "openai-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return PARAMS

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> Any:
        return METADATA

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("the benchmarks only stream")

    def _stream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield from self.chunks

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self.chunks:
            yield chunk
