"""Random answers, as servers send them, from a seed: their tokens, and what LangChain makes of them."""

import json
import math
import random
import re
import string
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage

from langchain_logprobs.formats.tokens import Alternative, TokenLogprob
from tests.oracle.alignment import GPT2
from tests.oracle.parts import Given

MARK = re.compile(r"</?\w+>|<\|\w+\|>|\[TOOL_CALLS\]")
"""What is one token for every tokenizer."""
SPELL = {byte: char for char, byte in GPT2.items()}
WORDS = [
    *("The", "sky", "is", "blue", "not", "Zürich", "42", "7.5", "true", "maybe", "{", "[1]", "ok.", "x=1,"),
    *("안녕", "日本", "😀", "नमस्ते", "שלום", "é", "so", "null", "no", "nobody", "\n", "- ", "(see", "“a”"),
]
STRINGS = [
    "a",
    "ab",
    "red",
    "blue",
    "",
    "Zürich",
    'q"x',
    "l\nm",
    "日本",
    "😀!",
    "null",
    "4",
    "a/b~",
    "so so so",
    "so it is that we go to the sea as he is on it or so",
]
ODD = (None, -9999.0, -100.0, -1000.0, math.nan, -math.inf, 0.7, 3e-5)


@dataclass
class Case:
    """One answer.

    Attributes:
        given: What came, for the oracle.
        message: The same for the product.
        form: How its tokens are spelled, and what is around the answer.
    """

    given: Given
    message: AIMessage
    form: list[str] = field(default_factory=list)


class Maker:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.form: list[str] = []
        self.spelling = self.one(
            "plain", "plain", "plain", "bytes", "bytes", "gpt2", "sentencepiece", "lost", "cut bytes", "vllm"
        )
        self.form.append(self.spelling)

    def one(self, *options: Any) -> Any:
        return self.chance.choice(options)

    def words(self, most: int = 8) -> str:
        text = " ".join(self.chance.choice(WORDS) for _ in range(self.chance.randint(1, most)))
        return text if self.chance.random() < 0.9 else text + " " * self.chance.randint(1, 2)

    # What is said.

    def value(self, depth: int = 0) -> Any:
        kind = self.chance.choice(["string", "string", "number", "word", "object", "array"][: 4 if depth > 2 else 6])
        if kind == "object":
            return {
                self.one("a", "b", "n/x", "kind", "name"): self.value(depth + 1) for _ in range(self.one(0, 1, 2, 3))
            }
        if kind == "array":
            return [self.value(depth + 1) for _ in range(self.one(0, 1, 2))]
        if kind == "number":
            return self.one(0, 4, 42, -1, 7.5, 1e30, 0.1)
        return self.one(*STRINGS) if kind == "string" else self.one(True, False, None)

    def schema(self, value: Any) -> Any:
        """A schema that the value follows, or mostly so."""
        if isinstance(value, dict):
            properties = {key: self.schema(one) for key, one in value.items()}
            return {"type": "object", "properties": properties, "required": list(value)[: self.one(0, 9)]}
        if isinstance(value, list):
            items = self.schema(value[0]) if value else {"type": "string"}
            return {"type": "array", "items": items}
        closed = {"enum": [*self.chance.sample(STRINGS, 3), self.one("ab", 42, None, True), value]}
        open_ = {"type": {str: "string", bool: "boolean", type(None): "null"}.get(type(value), "number")}
        union = {"anyOf": [{"const": value}, {"enum": ["a", 4]}]}
        return self.one(closed, open_, {"anyOf": [open_, {"type": "null"}]}, union,
                        {"type": ["string", "number", "null"]}, {}, {"type": "integer"})  # fmt: skip

    def json(self, value: Any) -> str:
        text = json.dumps(value, ensure_ascii=self.chance.random() < 0.2, indent=self.one(None, None, None, 1))
        return text.replace('": ', '":') if self.chance.random() < 0.3 else text

    def document(self) -> tuple[str, Any]:
        """JSON as the answer, in one of the ways in which models write it, and its schema where the request had one."""
        value = self.one(self.value(), {"a": self.value(1), "b": self.value(1)}, {"kind": self.value(3)})
        schema = self.schema(value) if self.chance.random() < 0.5 else None
        text = self.json(value)
        way = self.one("alone", "alone", "alone", "fence", "prose", "cut", "double", "lines", "broken", "draft")
        self.form.append(way)
        if way == "fence":
            text = f"{self.words(3)}\n```{self.one('json', '', 'python')}\n{text}\n```"
        elif way == "prose":
            text = f"{self.words(3)} {text} {self.words(3)}"
        elif way == "cut":
            text = text[: self.chance.randint(0, len(text))]
        elif way == "double":
            text = text.replace('"b"', '"a"')
        elif way == "lines":
            text = f"{self.json({'a': 1})}\n{text}"
        elif way == "broken":
            text = text.replace(",", ";", 1).replace("}", ")", 1)
        elif way == "draft":
            text = f"{self.json(self.value())} {self.words(2)} {text}"
        return text, schema

    def label(self) -> tuple[str, Any]:
        self.form.append("label")
        text = self.one("red", "blue", "ab", "Zürich", "7")
        return text, {"enum": ["red", "rest", "blue", "a", "ab", "Zürich", "no"]}

    def word(self) -> tuple[str, Any]:
        self.form.append("word")
        return self.one("B", "42", "true", "null", "Yes", "日本", "7.5", "."), None

    # The tokens.

    def cut(self, text: str) -> list[str]:
        """A text in pieces, mostly where a tokenizer would cut it."""
        if MARK.fullmatch(text) or ("word" in self.form and len(text) < 6):
            return [text]
        pieces, piece = [], ""
        for char in text:
            joins = piece[-1:].isalnum() and char.isalnum()
            if piece and self.chance.random() < (0.15 if joins else 0.6):
                pieces.append(piece)
                piece = ""
            piece += char
        return [*pieces, piece] if piece else pieces

    def token(self, word: str, raw: bytes | None, spell: Any) -> TokenLogprob:
        logprob: Any = math.log(self.chance.random() ** self.one(0.05, 0.3, 1.0) or 1e-9)
        count = self.one(0, 0, 1, 2, 3, 5)
        left = 1.0 - math.exp(logprob)
        others: list[Alternative] = []
        for text in self.chance.sample(self.guesses(word), min(count, 5)):
            mass = left * self.chance.random()
            left -= mass
            odd = self.chance.random() < 0.03
            spelled, other_raw = spell(text)
            others.append(Alternative(spelled, self.one(*ODD) if odd else math.log(mass or 1e-12), other_raw))
        if self.chance.random() < 0.04:
            logprob = self.one(*ODD)
        if others and self.chance.random() < 0.8:
            others.insert(self.one(0, 0, 1), Alternative(word, logprob, raw))
        return TokenLogprob(word, logprob, raw, tuple(others))

    def guesses(self, word: str) -> list[str]:
        """What else could have stood there."""
        first = word[:1]
        lead = word[: len(word) - len(word.lstrip(' "{[:,'))]
        return list(dict.fromkeys([
            'null', ' "', '"', "}", ",", " red", "blue", "4", "42", ".", "]", '"}', "e", "\n", " [", "true", "\\u00e9",
            lead + "null", lead + "re", lead + "4", lead + '"', first + self.one(*string.ascii_lowercase),
            " " + word, word + "x",
        ]))  # fmt: skip

    def tokens(self, segments: list[str]) -> list[TokenLogprob]:
        """The tokens of some texts that follow each other; none is in two of them."""
        form = self.spelling

        def spell(text: str) -> tuple[str, bytes | None]:
            if form == "gpt2":
                return "".join(SPELL[byte] for byte in text.encode()), None
            if form == "sentencepiece":
                return text.replace(" ", "▁"), None
            return text, text.encode() if form in ("bytes", "cut bytes") else None

        tokens = []
        if form in ("gpt2", "sentencepiece") and self.chance.random() < 0.3:
            first = segments[0]  # SentencePiece's own space before a text
            segments = [f" {first}" if first and not MARK.fullmatch(first) else first, *segments[1:]]
        for segment in segments:
            for word in self.cut(segment):
                if form == "vllm" and not word.isascii() and len(word) == 1:
                    tokens += [self.token("", b"", spell), self.token(word, word.encode(), spell)]
                elif form == "lost" and not word.isascii() and len(word) == 1:
                    tokens += [self.token("\ufffd", None, spell) for _ in range(self.one(1, 2))]
                elif form == "cut bytes" and len(word) == 1 and not word.isascii():
                    raws = word.encode()[:1], word.encode()[1:]
                    tokens += [self.token("".join(f"\\x{b:02x}" for b in raw), raw, spell) for raw in raws]
                else:
                    tokens.append(self.token(*spell(word), spell))
        return tokens


def make(seed: int) -> Case:
    """The answer of a seed."""
    maker = Maker(seed)
    body, schema = maker.one(maker.document, maker.document, lambda: (maker.words(12), None), maker.label, maker.word)()
    call = maker.chance.random() < 0.2
    if call and maker.chance.random() < 0.6:
        body, schema = "", None
    before, text, reasoning, told = around(maker, body)
    calls, markup = tool_calls(maker) if call else ([], "")
    behind = maker.one("", "", "<|im_end|>", "</s>", "\n", "\n<|eot_id|>")
    segments = [*before, body, *marks(markup)]
    parts = [maker.tokens([segment]) if segment else [] for segment in segments] if told else []
    tokens = [token for part in parts for token in part] if told else maker.tokens([*segments, *marks(behind)])
    if maker.chance.random() < 0.04 and tokens:
        maker.form.append("dropped")
        del tokens[maker.chance.randrange(len(tokens))]
        parts = []
        told = ()
    tools = {one["name"]: maker.schema(one["args"]) for one in calls} if maker.chance.random() < 0.5 else {}
    ranges = told_ranges(told, parts, len(before) + 1) if told and parts else []
    echoed = f"{before[0]} " if "echo" in maker.form else ""
    given = Given(tokens, text, reasoning, calls, ranges, echoed, schema, tools)
    return Case(given, message(given), maker.form)


def around(maker: Maker, body: str) -> tuple[list[str], str, str, tuple[str, ...]]:
    """What the tokens spell before an answer, the text that LangChain has, and the reasoning that it has apart."""
    thought = maker.words(10).replace("{", "(").strip() or "hm"
    way = maker.one(
        "plain",
        "plain",
        "plain",
        "plain",
        "stripped",
        "inside",
        "apart",
        "marked",
        "harmony",
        "told",
        "cut off",
        "fence",
        "echo",
    )
    maker.form.append(way)
    if way == "stripped":
        return ["<think>", thought, "</think>", "\n\n"], body.strip(), "", ()
    if way == "inside":
        return ["<think>", thought, "</think>", "\n"], f"<think>{thought}</think>\n{body}", "", ()
    if way == "apart":
        return [thought], body, thought, ()
    if way == "marked":
        return ["<think>", "\n", thought, "\n", "</think>"], body, thought, ()
    if way == "harmony":
        header = ["<|channel|>", "analysis", "<|message|>", thought, "<|end|>", "<|start|>", "assistant", "<|channel|>"]
        return [*header, "final", "<|message|>"], body, "", ()
    if way == "told":
        return [thought], body, thought, ("reasoning",)
    if way == "cut off":
        return ["<think>", thought], body, thought, ()
    if way == "fence" and body.startswith("{"):
        return ["```json\n"], body, "", ()
    if way == "echo":
        return [thought, " "], f"{thought} {body}", "", ()
    return [], body, "", ()


def tool_calls(maker: Maker) -> tuple[list[dict[str, Any]], str]:
    calls = [
        {"name": maker.one("pay", "find"), "args": {"amount": maker.value(3), "to": maker.value(2)}, "id": f"c{number}"}
        for number in range(maker.one(1, 1, 2))
    ]
    way = maker.one("hermes", "bare", "list", "none")
    maker.form.append(f"call:{way}")
    if way == "none":
        return calls, ""
    shown = [
        maker.json(one["args"]) if way == "bare" else maker.json({"name": one["name"], "arguments": one["args"]})
        for one in calls
    ]
    if way == "hermes":
        return calls, "".join(f"<tool_call>\n{one}\n</tool_call>" for one in shown)
    return calls, "[TOOL_CALLS][" + ", ".join(shown) + "]" if way == "list" else "".join(shown)


def marks(text: str) -> list[str]:
    """A text in pieces, each mark in it one of them."""
    return [piece for piece in re.split(f"({MARK.pattern})", text) if piece]


def told_ranges(told: tuple[str, ...], parts: list[list[TokenLogprob]], first: int) -> list[tuple[str, int, int]]:
    """What the chunks of a stream say of their tokens; from part `first` on they are a tool call's."""
    ends = [sum(map(len, parts[:at])) for at in range(len(parts) + 1)]
    ranges = [("reasoning", 0, ends[1])]
    return [*ranges, ("tool_call", ends[first], ends[-1])] if ends[first] < ends[-1] else ranges


def message(given: Given) -> AIMessage:
    """The answer as LangChain has it."""

    def entry(one: TokenLogprob | Alternative) -> dict[str, Any]:
        raw = None if one.bytes is None else list(one.bytes)
        return {"token": one.token, "logprob": one.logprob, "bytes": raw}

    entries = [{**entry(token), "top_logprobs": [*map(entry, token.alternatives)]} for token in given.tokens]
    extra = {"reasoning_content": given.reasoning} if given.reasoning else {}
    calls = [{**one, "type": "tool_call"} for one in given.tool_calls]
    return AIMessage(
        given.text, tool_calls=calls, additional_kwargs=extra, response_metadata={"logprobs": {"content": entries}}
    )
