"""Every wire format, driven by one table. The rows are what servers and integrations sent, not what they document."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from langchain_logprobs.capture.received import collect
from langchain_logprobs.confidence.measures import measure
from langchain_logprobs.formats import openai_chat
from langchain_logprobs.formats.entries import Reading, read_all, read_entries, read_plain
from langchain_logprobs.formats.read import (
    FORMATS,
    is_container,
    read_container,
    read_together,
    size_of,
)
from langchain_logprobs.formats.tokens import Alternative, TokenLogprob, Tokens
from tests.formats.reading import pairs, read


def anything(*values: Any) -> tuple[Any, ...]:
    """These values, which have no type in common."""
    return values


class SdkObject(BaseModel):
    """What the SDKs hand on in place of a dict: OpenAI's (LiteLLM, Databricks) and Ollama's are pydantic objects."""

    model_config = ConfigDict(extra="allow")


class SdkTop(SdkObject):
    token: str
    logprob: float


class SdkEntry(SdkObject):
    token: str
    logprob: float | None = None
    top_logprobs: list[SdkTop] | None = None


class SdkLogprobs(SdkObject):
    content: list[SdkEntry] | None = None
    refusal: list[SdkEntry] | None = None


@dataclass(frozen=True)
class Row:
    """One container and what it is read into.

    Attributes:
        name: Who sends it.
        container: What stands under the integration's key.
        source: The format's name.
        tokens: (token, logprob) of each answer token.
        text: The text of the chunk that carried it.
        bytes: Each token's bytes where any has some.
        tops: The alternatives by position, as (token, logprob).
        reasoning: (token, logprob) of each reasoning token.
        malformed: How many things could not be read.
    """

    name: str
    container: Any
    source: str | None
    tokens: list[tuple[str, float | None]]
    text: str | None = None
    bytes: list[bytes | None] | None = None
    tops: dict[int, list[tuple[str, float | None]]] = field(default_factory=dict)
    reasoning: list[tuple[str, float | None]] = field(default_factory=list)
    malformed: int = 0


HELLO = {"token": "Hello", "bytes": [72, 101, 108, 108, 111], "logprob": -0.0012, "top_logprobs": []}
HI = {"token": "Hi", "bytes": [72, 105], "logprob": -9999.0}
CHAT = "openai.chat"
COMPLETIONS = "openai.completions"

ROWS = [
    # OpenAI's chat completions, and who speaks them with small differences
    Row(
        "openai",
        {
            "content": [
                {**HELLO, "top_logprobs": [{k: HELLO[k] for k in ("token", "bytes", "logprob")}, HI]},
                {"token": " world", "bytes": [32, 119, 111, 114, 108, 100], "logprob": -0.25, "top_logprobs": []},
                {"token": "\\xf0\\x9f\\x8c", "bytes": [240, 159, 140], "logprob": -0.5, "top_logprobs": []},
                {"token": "\\x8d", "bytes": [141], "logprob": -0.0, "top_logprobs": []},
            ],
            "refusal": None,
        },
        CHAT,
        [("Hello", -0.0012), (" world", -0.25), ("\\xf0\\x9f\\x8c", -0.5), ("\\x8d", 0.0)],
        bytes=[b"Hello", b" world", b"\xf0\x9f\x8c", b"\x8d"],
        tops={0: [("Hello", -0.0012), ("Hi", -9999.0)]},
    ),
    Row("openai, not asked for", None, None, []),
    Row("openai, the role chunk", {"content": [], "refusal": None}, None, []),
    Row("openai, neither list", {"content": None, "refusal": None}, None, []),
    Row(
        "openai, a refusal",
        {"content": None, "refusal": [{"token": "I", "bytes": [73], "logprob": -0.1, "top_logprobs": []}]},
        CHAT,
        [("I", -0.1)],
        bytes=[b"I"],
    ),
    Row(
        "deepseek",
        {
            "content": [HELLO],
            "refusal": None,
            "reasoning_content": [
                {"token": "Think", "logprob": -0.3, "bytes": [84, 104, 105, 110, 107], "top_logprobs": None}
            ],
        },
        CHAT,
        [("Hello", -0.0012)],
        bytes=[b"Hello"],
        reasoning=[("Think", -0.3)],
    ),
    Row(
        "deepseek, a chunk of reasoning",
        {"content": None, "reasoning_content": [{"token": "So", "logprob": -0.3, "bytes": None}]},
        CHAT,
        [],
        reasoning=[("So", -0.3)],
    ),
    Row(
        "fireworks",
        {
            "text_offset": None,
            "token_ids": None,
            "token_logprobs": None,
            "tokens": None,
            "top_logprobs": None,
            "content": [{**HELLO, "sampling_logprob": -0.001, "token_id": 9906, "routing_matrix": None}],
        },
        CHAT,
        [("Hello", -0.0012)],
        bytes=[b"Hello"],
    ),
    Row(
        "huggingface",
        {"content": [{"logprob": -0.0012, "token": "Hello", "top_logprobs": [{"logprob": -0.0012, "token": "Hello"}]}]},
        CHAT,
        [("Hello", -0.0012)],
        tops={0: [("Hello", -0.0012)]},
    ),
    Row(
        "watsonx",
        {"content": [{"token": "J", "logprob": -0.0017}, {"token": "<|end_of_text|>", "logprob": -7.08e-05}]},
        CHAT,
        [("J", -0.0017), ("<|end_of_text|>", -7.08e-05)],
    ),
    Row(
        "litellm, databricks",
        SdkLogprobs(
            content=[
                SdkEntry.model_validate(
                    {**HELLO, "top_logprobs": [{"token": "Hello", "logprob": -0.0012, "bytes": [72]}]}
                )
            ]
        ),
        CHAT,
        [("Hello", -0.0012)],
        bytes=[b"Hello"],
        tops={0: [("Hello", -0.0012)]},
    ),
    Row(
        "a pydantic object with keys that its class does not know",
        SdkLogprobs.model_validate({"content": None, "reasoning_content": [{"token": "So", "logprob": -0.3}]}),
        CHAT,
        [],
        reasoning=[("So", -0.3)],
    ),
    Row(
        "llama.cpp, the end-of-sequence token has an entry",
        {
            "content": [
                {"id": 9906, **HELLO, "top_logprobs": [{"id": 9906, "token": "Hello", "bytes": [72], "logprob": -0.1}]},
                {"id": 2, "token": "", "bytes": [], "logprob": -0.01, "top_logprobs": []},
            ],
            "refusal": None,
        },
        CHAT,
        [("Hello", -0.0012), ("", -0.01)],
        bytes=[b"Hello", b""],
        tops={0: [("Hello", -0.1)]},
    ),
    Row(
        "llama.cpp, probabilities after sampling",
        {
            "content": [
                {
                    "id": 9906,
                    "token": "Hello",
                    "bytes": [72, 101, 108, 108, 111],
                    "logprob": None,
                    "prob": 0.5,
                    "top_probs": [
                        {"id": 9906, "token": "Hello", "bytes": [72, 101, 108, 108, 111], "prob": 0.5},
                        {"id": 1, "token": "Hi", "bytes": [72, 105], "prob": 0},
                    ],
                }
            ]
        },
        CHAT,
        [("Hello", math.log(0.5))],
        bytes=[b"Hello"],
        tops={0: [("Hello", math.log(0.5)), ("Hi", -math.inf)]},
    ),
    Row(
        "llama.cpp, alternatives that are part of a character",
        {
            "content": [
                {
                    "token": "🌍",
                    "bytes": [240, 159, 140, 141],
                    "logprob": -0.2,
                    "top_logprobs": [
                        {"token": "\ufffd", "bytes": [173], "logprob": -1.0},
                        {"token": "", "bytes": [240, 159], "logprob": -2.0},
                    ],
                }
            ]
        },
        CHAT,
        [("🌍", -0.2)],
        bytes=["🌍".encode()],
        tops={0: [("\ufffd", -1.0), ("", -2.0)]},
    ),
    Row(
        "llama.cpp, legacy completions in the chat shape, with the SDK's keys",
        {
            "content": [HELLO],
            "refusal": None,
            "text_offset": None,
            "token_logprobs": None,
            "tokens": None,
            "top_logprobs": None,
        },
        CHAT,
        [("Hello", -0.0012)],
        bytes=[b"Hello"],
    ),
    Row(
        "llama-cpp-python, bytes always null",
        {"content": [{"token": "a", "bytes": None, "logprob": -1.0, "top_logprobs": []}], "refusal": None},
        CHAT,
        [("a", -1.0)],
    ),
    Row(
        "vllm, tokens as ids",
        {"content": [{"token": "token_id:123", "logprob": -1.0, "bytes": None, "top_logprobs": []}]},
        CHAT,
        [("token_id:123", -1.0)],
    ),
    Row(
        "a token of bytes alone",
        {"content": [{"token": None, "bytes": [72, 105]}]},
        CHAT,
        [("Hi", None)],
        bytes=[b"Hi"],
    ),
    Row("sdk types with both formats' keys, both empty", {"content": [], "tokens": []}, None, []),
    Row(
        "both formats hold data: the chat format's has bytes and alternatives",
        {"content": [HELLO], "tokens": ["Hello"], "token_logprobs": [-0.0012]},
        CHAT,
        [("Hello", -0.0012)],
        bytes=[b"Hello"],
    ),
    # OpenAI's legacy completions
    Row(
        "openai completions, echo",
        {
            "text_offset": [0, 3, 6],
            "token_logprobs": [None, -1.5, -0.25],
            "tokens": ["Say", " hi", "!"],
            "top_logprobs": [None, {" hello": -2.0, " hi": -1.5}, {"!": -0.25, ".": -3.0}],
        },
        COMPLETIONS,
        [("Say", None), (" hi", -1.5), ("!", -0.25)],
        tops={1: [(" hi", -1.5), (" hello", -2.0)], 2: [("!", -0.25), (".", -3.0)]},
    ),
    Row(
        "openai completions, a token that is no whole character",
        {
            "tokens": ["bytes: \\xf0\\x9f", "bytes:", "bytes: per second", "bytes:\\xzz"],
            "token_logprobs": [-1.0, -1.0, -1.0, -1.0],
            "top_logprobs": [None, None, None, None],
        },
        COMPLETIONS,
        [("bytes: \\xf0\\x9f", -1.0), ("bytes:", -1.0), ("bytes: per second", -1.0), ("bytes:\\xzz", -1.0)],
        bytes=[b" \xf0\x9f", None, None, None],
    ),
    Row(
        "together, in one piece",
        {
            "content": None,
            "refusal": None,
            "tokens": [" Hello", " World", "!", "</s>"],
            "token_logprobs": [-4.7683716e-06, None, 0, -0.057373047],
            "token_ids": [22557, 3304, 28808, 2],
        },
        COMPLETIONS,
        [(" Hello", -4.7683716e-06), (" World", None), ("!", 0.0), ("</s>", -0.057373047)],
    ),
    Row(
        "fireworks, an integer asked for",
        {
            "tokens": ["a"],
            "token_ids": [1],
            "token_logprobs": [-0.1],
            "top_logprobs": [{"a": -0.1}],
            "text_offset": [0],
        },
        COMPLETIONS,
        [("a", -0.1)],
        tops={0: [("a", -0.1)]},
    ),
    Row(
        "ids alone",
        {"tokens": None, "token_ids": [22557, 2], "token_logprobs": [-1.0, -2.0]},
        COMPLETIONS,
        [("token_id:22557", -1.0), ("token_id:2", -2.0)],
    ),
    Row(
        "vllm objects as values, least likely first",
        {
            "tokens": ["a"],
            "token_logprobs": [-0.1],
            "top_logprobs": [
                {"c": None, "b": SimpleNamespace(logprob=-2.0, rank=2), "a": {"logprob": -0.1, "rank": 1}}
            ],
        },
        COMPLETIONS,
        [("a", -0.1)],
        tops={0: [("a", -0.1), ("b", -2.0), ("c", None)]},
    ),
    Row(
        "fewer logprobs than tokens",
        {"tokens": ["a", "b"], "token_logprobs": [-1.0]},
        COMPLETIONS,
        [("a", -1.0), ("b", None)],
        malformed=1,
    ),
    Row("logprobs without tokens", {"token_logprobs": [-1.0, -2.0]}, None, [], malformed=1),
    # The others
    Row(
        "ollama",
        [
            SdkEntry(token="Hello", logprob=-0.0012, top_logprobs=[SdkTop(token="Hello", logprob=-0.0012)]),
            SdkEntry(token="!", logprob=-0.5),
        ],
        "ollama",
        [("Hello", -0.0012), ("!", -0.5)],
        tops={0: [("Hello", -0.0012)]},
    ),
    Row(
        "ollama, out of a cache",
        [{"token": "Hello", "logprob": -0.0012, "top_logprobs": None}],
        "ollama",
        [("Hello", -0.0012)],
    ),
    Row(
        "ollama, out of a cache that could not keep the objects",
        [{"lc": 1, "type": "not_implemented", "repr": "Logprob(token='a', logprob=-1.0)"}],
        None,
        [],
        malformed=1,
    ),
    Row("an empty list", [], None, []),
    Row("an empty dict", {}, None, []),
    Row(
        "vertex",
        {
            "logprobs_result": [
                {
                    "token": "Hello",
                    "logprob": -0.12,
                    "top_logprobs": [{"token": "Hello", "logprob": -0.12}, {"token": "Hi", "logprob": -2.2}],
                },
                {"token": "!", "logprob": 0.0, "top_logprobs": []},
            ]
        },
        "vertex",
        [("Hello", -0.12), ("!", 0.0)],
        tops={0: [("Hello", -0.12), ("Hi", -2.2)]},
    ),
    Row("vertex, none", {"logprobs_result": None}, None, []),
    Row("together, a chunk", -0.25, "together.stream", [(" hi", -0.25)], text=" hi"),
    Row("together, a chunk of probability 1", 0, "together.stream", [("hi", 0.0)], text="hi"),
    Row("together, no chunk", -0.25, "together.stream", [("", -0.25)]),
    Row("together, not a number", math.nan, "together.stream", [("", None)]),
    Row("bedrock, a chunk", [{"1234": -0.12}], "bedrock", [("Hello", -0.12)], text="Hello"),
    Row(
        "bedrock, merged chunks",
        [{"1234": -0.12, "99": -2.0}, {"99": -0.5}],
        "bedrock",
        [("token_id:1234", -0.12), ("token_id:99", -0.5)],
        text="Hello there",
        tops={0: [("token_id:1234", -0.12), ("token_id:99", -2.0)]},
    ),
    Row(
        "bedrock, the server's full form",
        [{"7": {"logprob": -1.5, "rank": 2, "decoded_token": "b"}, "6": {"logprob": -0.5, "decoded_token": "a"}}],
        "bedrock",
        [("b", -1.5)],
        tops={0: [("a", -0.5), ("b", -1.5)]},
    ),
    Row("bedrock, the first prompt position", [None, {"6": -0.5}], "bedrock", [("token_id:6", -0.5)], malformed=1),
    # The servers' own shapes, which own classes hand on
    Row(
        "openai completions, the last chunk of a stream",
        {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []},
        None,
        [],
    ),
    Row("openai completions, nothing at all", {"tokens": None, "token_logprobs": None, "top_logprobs": None}, None, []),
    Row("together, a list of one", [-0.25], "together.stream", [(" hi", -0.25)], text=" hi"),
    Row(
        "sglang",
        {
            "id": "5f0c",
            "finish_reason": {"type": "stop"},
            "prompt_tokens": 4,
            "output_token_logprobs": [[-0.25, 9906, "Hello"], [-1.5, 0, None], [None, 2, "!"]],
            "output_top_logprobs": [[[-0.25, 9906, "Hello"], [-3.0, 13347, None]], None, [[-0.5, 30, "?"]]],
        },
        "sglang",
        [("Hello", -0.25), ("token_id:0", -1.5), ("!", None)],
        tops={0: [("Hello", -0.25), ("token_id:13347", -3.0)], 2: [("?", -0.5)]},
    ),
    Row("sglang, a chunk without texts", [[-0.25, 9906, None]], "sglang", [(" hi", -0.25)], text=" hi"),
    Row("sglang, triples alone", [(-0.25, 9906, "Hello"), (-1, 0, "!")], "sglang", [("Hello", -0.25), ("!", -1.0)]),
    Row("sglang, none", {"output_token_logprobs": None, "e2e_latency": 0.5}, None, []),
    Row("sglang, no list", {"output_token_logprobs": "x"}, None, [], malformed=1),
    Row(
        "sglang, wrong triples",
        {
            "output_token_logprobs": [[-0.5, 1, "a"], [-0.5, "1", "b"], [True, 1, "c"], [-0.5, 1], None, 5],
            "output_top_logprobs": [[[-0.5, 1, "a"], "x", [1]]],
        },
        "sglang",
        [("a", -0.5)],
        tops={0: [("a", -0.5)]},
        malformed=7,
    ),
    Row(
        "sglang, alternatives that are no list",
        {"output_token_logprobs": [[-0.5, 1, "a"]], "output_top_logprobs": [3]},
        "sglang",
        [("a", -0.5)],
        malformed=1,
    ),
    Row(
        "tgi",
        {
            "finish_reason": "length",
            "generated_tokens": 2,
            "prefill": [{"id": 1, "text": "Say", "logprob": None}],
            "tokens": [
                {"id": 9906, "text": " Hello", "logprob": -0.25, "special": False},
                {"id": 2, "text": "</s>", "logprob": 0, "special": True},
            ],
            "top_tokens": [
                [{"id": 9906, "text": " Hello", "logprob": -0.25}, {"id": 3, "text": " Hi", "logprob": -2.5}]
            ],
        },
        "tgi",
        [(" Hello", -0.25), ("</s>", 0.0)],
        tops={0: [(" Hello", -0.25), (" Hi", -2.5)]},
    ),
    Row("tgi, the entries alone", [{"id": 1, "text": "a", "logprob": -0.5}], "tgi", [("a", -0.5)]),
    Row(
        "tgi, wrong entries",
        {"tokens": [{"text": "a", "logprob": -0.5}, {"text": 3, "logprob": -0.5}, None], "top_tokens": "x"},
        "tgi",
        [("a", -0.5)],
        malformed=2,
    ),
    Row(
        "llama.cpp's own completions",
        {
            "completion_probabilities": [
                {
                    "id": 9906,
                    "token": "Hello",
                    "bytes": [72, 101, 108, 108, 111],
                    "logprob": -0.25,
                    "top_logprobs": [{"id": 9906, "token": "Hello", "bytes": [72], "logprob": -0.25}],
                },
                {"id": 2, "token": "!", "bytes": [33], "prob": 0.5, "top_probs": [{"token": "!", "prob": 0.5}]},
            ]
        },
        "llama_cpp",
        [("Hello", -0.25), ("!", math.log(0.5))],
        bytes=[b"Hello", b"!"],
        tops={0: [("Hello", -0.25)], 1: [("!", math.log(0.5))]},
    ),
    Row(
        "llama.cpp's own completions, before 2025",
        {
            "completion_probabilities": [
                {
                    "content": " hi",
                    "probs": [
                        {"tok_str": " Hi", "prob": 0.5},
                        {"tok_str": " hi", "prob": 0.25},
                        {"tok_str": "x", "prob": 0},
                    ],
                },
                {"content": "!", "probs": [{"tok_str": "?", "prob": 1.0}]},
            ]
        },
        "llama_cpp",
        [(" hi", math.log(0.25)), ("!", None)],
        tops={0: [(" Hi", math.log(0.5)), (" hi", math.log(0.25)), ("x", -math.inf)], 1: [("?", 0.0)]},
    ),
    Row("llama.cpp, the old entries alone", [{"content": "a", "probs": []}], "llama_cpp", [("a", None)]),
    Row("llama.cpp, none", {"completion_probabilities": None}, None, []),
    Row("llama.cpp, no list", {"completion_probabilities": 3}, None, [], malformed=1),
    Row("llama.cpp, wrong entries", {"completion_probabilities": [3, {}, {"content": "a"}]}, None, [], malformed=3),
    Row(
        "gemini's own answer",
        {
            "chosenCandidates": [
                {"token": "Hello", "tokenId": 4521, "logProbability": -0.25},
                {"token": "!", "tokenId": 30, "logProbability": 0},
            ],
            "topCandidates": [
                {"candidates": [{"token": "Hello", "logProbability": -0.25}, {"token": "Hi", "logProbability": -2.0}]}
            ],
        },
        "gemini",
        [("Hello", -0.25), ("!", 0.0)],
        tops={0: [("Hello", -0.25), ("Hi", -2.0)]},
    ),
    Row(
        "gemini's own answer, the SDK's object",
        SdkObject.model_validate(
            {
                "chosen_candidates": [{"token": "a", "token_id": 1, "log_probability": -0.5}],
                "top_candidates": [SdkObject.model_validate({"candidates": [{"token": "b", "log_probability": -1.0}]})],
            }
        ),
        "gemini",
        [("a", -0.5)],
        tops={0: [("b", -1.0)]},
    ),
    Row("gemini, none", {"chosenCandidates": None}, None, []),
    Row("gemini, no list", {"chosenCandidates": "x", "topCandidates": 3}, None, [], malformed=1),
    Row("numbers without tokens", [-0.25, -0.5], None, [], malformed=1),
    # Values and entries that are wrong, among right ones
    Row(
        "entries of every JSON type",
        {"content": [HELLO, None, 1, 1.5, True, "x", [], {}, {"logprob": -1.0}, {"token": 1}, HELLO]},
        CHAT,
        [("Hello", -0.0012), ("Hello", -0.0012)],
        bytes=[b"Hello", b"Hello"],
        malformed=9,
    ),
    Row(
        "logprobs of every JSON type",
        {
            "content": [
                {"token": "a", "logprob": each} for each in anything(None, 0, -1, True, "-1", [], {}, 10**400, math.nan)
            ]
        },
        CHAT,
        [("a", each) for each in (None, 0.0, -1.0, None, None, None, None, None, None)],
        malformed=5,
    ),
    Row(
        "an infinity is kept as it is",
        {"content": [{"token": "a", "logprob": -math.inf}, {"token": "b", "logprob": math.inf}]},
        CHAT,
        [("a", -math.inf), ("b", math.inf)],
    ),
    Row(
        "bytes of every JSON type",
        {
            "content": [
                {"token": "a", "bytes": each}
                for each in anything(None, b"a", [], [256], [-1], [10**30], ["a"], "a", 1, {})
            ]
        },
        CHAT,
        [("a", None)] * 10,
        bytes=[None, b"a", b"", None, None, None, None, None, None, None],
        malformed=7,
    ),
    Row(
        "alternatives of every JSON type",
        {
            "content": [
                {"token": "a", "top_logprobs": each}
                for each in anything(None, [], {}, 0, False, "", 5, "x", True, {"b": -1, 3: -1})
            ]
        },
        CHAT,
        [("a", None)] * 10,
        tops={9: [("b", -1.0)]},
        malformed=4,
    ),
    Row(
        "alternatives around wrong ones",
        {"content": [{"token": "a", "top_logprobs": [{"token": "a"}, None, 3, {}, {"bytes": [98]}, {"token": "c"}]}]},
        CHAT,
        [("a", None)],
        tops={0: [("a", None), ("b", None), ("c", None)]},
        malformed=3,
    ),
    Row(
        "probabilities that are none",
        {"content": [{"token": "a", "prob": each} for each in (-0.5, "x", None, 1)]},
        CHAT,
        [("a", None), ("a", None), ("a", None), ("a", 0.0)],
        malformed=2,
    ),
    Row("a content that is no list", {"content": "Hello", "reasoning_content": 3}, None, [], malformed=2),
    Row(
        "legacy lists with wrong values",
        {"tokens": ["a", None, 3, "d"], "token_logprobs": [-1.0, -1.0, -1.0, "x"], "top_logprobs": "none"},
        COMPLETIONS,
        [("a", -1.0), ("d", None)],
        malformed=4,
    ),
    Row("legacy tokens that are no list", {"tokens": "abc", "token_logprobs": 3}, None, [], malformed=2),
    Row("vertex, no list", {"logprobs_result": {"a": 1}}, None, [], malformed=1),
    Row("a lone surrogate", {"content": [{"token": "\ud83c", "logprob": -1.0}]}, CHAT, [("\ud83c", -1.0)]),
    Row("an unknown dict", {"surprise": 1, 2: 3}, None, [], malformed=1),
    Row("an unknown list", ["x"], None, [], malformed=1),
    Row("a str", "x", None, [], malformed=1),
    Row("litellm's router, the request's flag", True, None, []),
    Row("a class", SdkLogprobs, None, [], malformed=1),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_container_is_read_into_tokens(row: Row) -> None:
    before = copy.deepcopy(row.container)
    reading = read(row.container, row.text)
    assert pairs(reading.tokens) == row.tokens
    assert pairs(reading.reasoning) == row.reasoning
    assert reading.source == row.source
    assert [each.bytes for each in reading.tokens] == (row.bytes or [None] * len(row.tokens))
    assert {i: pairs(each.alternatives) for i, each in enumerate(reading.tokens) if each.alternatives} == row.tops
    assert reading.malformed == row.malformed
    assert (reading.problem is None) == (row.malformed == 0)
    assert repr(row.container) == repr(before), "what is the user's is only read"


@pytest.mark.parametrize("row", [row for row in ROWS if not row.malformed], ids=lambda row: row.name)
def test_the_size_of_a_container_is_known_without_reading_it(row: Row) -> None:
    assert size_of(row.container) == len(row.tokens)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_container_is_of_two_formats(row: Row) -> None:
    reads = [wire_format.name for wire_format in FORMATS if wire_format.read(row.container, None, Reading())]
    sizes = [wire_format.name for wire_format in FORMATS if wire_format.size(row.container) is not None]
    assert reads == sizes
    assert len(reads) <= 1
    assert is_container(row.container) == bool(sizes)


def test_the_chunks_of_a_stream_add_up() -> None:
    reading = Reading()
    for container, text in [
        ({"content": [], "refusal": None}, ""),
        ({"content": [HELLO], "refusal": None}, "Hello"),
        (None, ""),
        ({"content": [{"token": "!", "logprob": -1.0}, {"token": "?", "logprob": -2.0}]}, "!?"),
        ({"refusal": [{"token": "No", "logprob": -3.0}]}, ""),
    ]:
        read_container(container, reading, text)
    assert pairs(reading.tokens) == [("Hello", -0.0012), ("!", -1.0), ("?", -2.0), ("No", -3.0)]
    assert reading.source == CHAT


@pytest.mark.parametrize(
    ("source", "wrap"),
    [
        ("openai.chat", lambda entry: {"content": [entry], "refusal": None}),
        ("openai.chat", lambda entry: {"content": [entry], "reasoning_content": None}),  # DeepSeek
        ("ollama", lambda entry: [entry]),
        ("vertex", lambda entry: {"logprobs_result": [entry]}),
    ],
)
def test_a_plain_stream_is_read_at_once(source: str, wrap: Any) -> None:
    # Which is several times as quick, so a shape must not fall out of it unnoticed. Sentinels are no reason to.
    containers = [wrap(HELLO), wrap({**HI, "top_logprobs": [HELLO]})]
    assert read_together(containers) is not None
    captured = collect([5, "", containers[0], 6, "", containers[1]], None)
    reading, chunks = captured.choices[0].reading, captured.choices[0].chunks
    assert pairs(reading.tokens) == [("Hello", -0.0012), ("Hi", -9999.0)]
    assert (reading.source, chunks.times, chunks.starts, chunks.end) == (source, [5, 6], [0, 1], 2)


def test_a_stream_that_changes_its_format_keeps_every_token_and_the_first_source() -> None:
    reading = Reading()
    for row in ROWS:
        read_container(row.container, reading, row.text)
    assert pairs(reading.tokens) == [pair for row in ROWS for pair in row.tokens]
    assert reading.malformed == sum(row.malformed for row in ROWS)
    assert reading.source == CHAT


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_containers_are_read_together_as_one_by_one_or_not_at_all(row: Row) -> None:
    together = read_together([row.container, row.container])
    if together is not None:
        reading, sizes = together
        alone = read(row.container)
        assert list(reading.tokens) == [*alone.tokens, *alone.tokens]
        assert (reading.malformed, reading.source) == (0, alone.source)
        assert sizes == [len(alone.tokens)] * 2
        assert row.reasoning == []


def test_the_entries_of_chunks() -> None:
    chunk = {"content": [HELLO], "refusal": None}
    for empty in anything(
        {"content": None}, {"content": None, "refusal": None}, {"content": [], "reasoning_content": None}
    ):
        assert openai_chat.entries_of([chunk, empty]) == [[HELLO], []]
    for other in anything(
        {},
        {"content": "Hello"},
        {"content": [], "refusal": [HELLO]},
        {"content": [HELLO], "reasoning_content": [HELLO]},
        {"refusal": None},
        {"tokens": ["a"]},
        {"logprobs_result": []},
        [HELLO],
    ):
        assert openai_chat.entries_of([chunk, other]) is None
        assert read_together([chunk, other]) is None
    assert read_together([[HELLO], {"logprobs_result": [HELLO]}]) is None
    assert read_together([[HELLO], [HELLO, 5]]) is None


def carefully(entries: Any) -> Tokens:
    tokens = Tokens()
    read_entries(entries, tokens, Reading())
    return tokens


@pytest.mark.parametrize("spelled", [{}, {"bytes": None}, {"bytes": []}, {"bytes": [72, 105]}], ids=str)
def test_entries_are_plain_with_their_bytes_or_without(spelled: dict[str, Any]) -> None:
    top = {"token": "Hi", "logprob": -0.5, **spelled}
    entries = [{**top, "top_logprobs": [top, {**top, "token": "Ho"}]}]
    assert read_plain(entries) == carefully(entries)
    assert carefully(entries)[0].bytes == (bytes(spelled["bytes"]) if spelled.get("bytes") is not None else None)


@pytest.mark.parametrize("spelled", [[300], ["a"], [-1], "Hi", 5, {"a": 1}, [[1]]], ids=str)
def test_bytes_that_are_none_are_no_plain_entry(spelled: Any) -> None:
    assert read_plain([{"token": "a", "logprob": -0.5, "bytes": spelled, "top_logprobs": []}]) is None


@pytest.mark.parametrize("logprob", [-9999.0, -9998.0, -math.inf, math.inf, 0.7, 5e-5, -0.5])
@pytest.mark.parametrize("where", ["token", "alternative", "both"])
def test_a_dishonest_logprob_in_a_plain_answer_is_censored_where_it_stands(logprob: float, where: str) -> None:
    own = logprob if where != "alternative" else -0.25
    other = logprob if where != "token" else -0.25
    tops = [{"token": "a", "logprob": -0.125}, {"token": "b", "logprob": other}]
    entries = [{**HELLO, "top_logprobs": tops}, {"token": "x", "logprob": own, "top_logprobs": tops}, HELLO]
    tokens = read_plain(entries)
    assert tokens is not None
    for column, position, raw in ((tokens, 1, own), (tokens.alternatives, 3, other)):
        if raw in (5e-5, -0.5, -0.25):
            assert column.censored == {}
            assert column.logprobs[position] == min(raw, 0.0)
        else:
            assert math.isnan(column.logprobs[position])
            assert column.censored.keys() == ({position} if column is tokens else {1, 3})
    assert tokens[1] == TokenLogprob("x", own, None, (Alternative("a", -0.125), Alternative("b", other)))
    assert tokens == carefully(entries)
    assert (tokens.logprobs[0], tokens.logprobs[2]) == (-0.0012, -0.0012)


@pytest.mark.parametrize("unusual", [math.nan, None, -1, False, "-1"])
@pytest.mark.parametrize("position", [0, 2], ids=["first", "last"])
@pytest.mark.parametrize("where", ["token", "alternative"])
def test_a_logprob_that_is_no_number_is_no_plain_entry(unusual: Any, position: int, where: str) -> None:
    tops = [{"token": "a", "logprob": -0.125}, {"token": "b", "logprob": -math.inf}]
    entries: list[Any] = [{**HELLO, "top_logprobs": [dict(top) for top in tops]} for _ in range(3)]
    changed = entries[position] if where == "token" else entries[position]["top_logprobs"][0]
    changed["logprob"] = unusual
    assert read_plain(entries) is None
    reading = read({"content": entries})
    item = reading.tokens[position] if where == "token" else reading.tokens[position].alternatives[0]
    assert item.logprob == (-1.0 if unusual == -1 else None)
    assert [len(each.alternatives) for each in reading.tokens] == [2, 2, 2]
    expected = measure([TokenLogprob("Hello", -0.0012, b"Hello", (Alternative("a", -0.125), Alternative("b", None)))])
    assert measure(reading.tokens[1:2]) == expected, "the neighbours are measured as ever"
    assert not any(isinstance(each, float) and math.isnan(each) for each in asdict(measure(reading.tokens)).values())


def test_the_first_problem_is_kept() -> None:
    assert read({"content": [5, {}]}).problem == "an entry of type int"


@pytest.mark.parametrize(
    ("container", "described"),
    [
        ({"Ann": -0.5, "Bob": -1.0}, "a dict of length 2"),
        ([3, "Ann"], "a list of length 2, its first item of type int"),
        ([None], "a list of length 1, its first item of type NoneType"),
        ("Ann", "an object of type str"),
        (object(), "an object of type object"),
    ],
)
def test_an_unknown_container_is_described_without_what_it_holds(container: Any, described: str) -> None:
    assert read(container).problem == f"a logprobs container of an unknown format: {described}"


class Hostile(dict):
    """Raises whatever it is asked."""

    def _refuse(self, *args: Any) -> Any:
        raise RuntimeError("no")

    get = items = keys = values = __getitem__ = __iter__ = __len__ = __contains__ = __bool__ = __eq__ = _refuse


class HostileList(list):
    """A list that cannot be gone through."""

    def __iter__(self) -> Any:
        raise MemoryError


class HostileObject:
    """An object whose attributes cannot be read."""

    def __getattribute__(self, name: str) -> Any:
        raise ZeroDivisionError(name)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Hostile(content=[HELLO]),
        lambda: HostileList([HELLO]),
        lambda: HostileObject(),
        lambda: {"content": HostileList([HELLO])},
        lambda: {"tokens": HostileList(["a"]), "token_logprobs": [-1.0]},
        lambda: {"logprobs_result": HostileList([HELLO])},
        lambda: {"output_token_logprobs": HostileList([[-1.0, 1, "a"]])},
        lambda: {"tokens": [{"text": "a", "logprob": -1.0}], "top_tokens": [Hostile()]},
    ],
)
def test_a_container_that_raises_is_a_problem_and_no_exception(make: Callable[[], Any]) -> None:
    reading = read(make())
    assert reading.malformed == 1
    assert "that raises" in (reading.problem or "")
    assert not reading.tokens
    assert size_of(make()) in (0, 1)
    assert read_together([make()]) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Hostile(token="a"),
        lambda: HostileObject(),
        lambda: {"token": "a", "top_logprobs": Hostile()},
        lambda: {"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "b", "logprob": -1.0}, Hostile()]},
    ],
)
def test_an_entry_that_raises_costs_no_neighbour(make: Callable[[], Any]) -> None:
    reading = read({"content": [HELLO, make(), HELLO]})
    assert pairs(reading.tokens) == [("Hello", -0.0012)] * 2
    assert (reading.malformed, [len(each.alternatives) for each in reading.tokens]) == (1, [0, 0])
    assert reading.problem is not None
    assert reading.problem.startswith("an entry that raises ")


def test_bytes_that_cannot_be_looked_at_are_none() -> None:
    class Entry:
        def __init__(self) -> None:
            self.asked = 0

        def __getitem__(self, key: str) -> Any:
            if key == "bytes":
                raise RuntimeError("no")
            return {"token": "a", "logprob": -1.0, "top_logprobs": ()}[key]

        def get(self, key: str) -> None:
            return None

    reading = Reading()
    read_all([Entry()], reading)
    assert reading.tokens == [TokenLogprob("a", -1.0)]


def test_every_kind_of_real_number_is_read() -> None:
    # llama-cpp-python computes with numpy, and community LlamaCpp hands its float32 on: a Real that is no float.
    reading = read({"tokens": ["a"], "token_logprobs": [Fraction(-1, 2)], "top_logprobs": [{"a": Fraction(-1, 2)}]})
    assert reading.tokens == [TokenLogprob("a", -0.5, None, (Alternative("a", -0.5),))]
    assert type(reading.tokens[0].logprob) is float
    assert reading.malformed == 0
