"""Answers whose every offset is known, as each kind of server would send them: what `align` publishes is right."""

import codecs
import itertools
import random
from collections import Counter
from typing import NamedTuple

import pytest

from langchain_logprobs.confidence.alignment.align import Alignment, align
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.oracle.alignment import GPT2

WORDS = [
    *("The", " sky", " is", " blue", " very", " very", ".", "\n", " ", ",", '{"a":"', '","b":', "12", "}"),
    *("naïve", " über", "é", "😀", "👨‍👩‍👧", "🇩🇪🇫🇷", "❤️", "🌟🌟", "नमस्ते", " हिन्दी", "안녕", "하세요", "日本", "是是"),
    *("שלום", "ไทย", "Ġ", "▁"),
]
SPELL = {byte: char for char, byte in GPT2.items()}
CUT_ANYWHERE = ["openai", "openai-completions", "replacement", "llama-cpp-python", "vllm", "true-bytes", "byte-level"]
CUT_AT_CHARACTERS = ["plain", "sentencepiece", "stripped-spaces", "dropped"]


class Sent(NamedTuple):
    """What a server sends, and what is true of it."""

    tokens: list[TokenLogprob]
    text: str
    truth: list[tuple[int, int] | None]  # in the bytes of the text; None: not of the answer
    form: str


def escaped(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "".join(f"\\x{byte:02x}" for byte in raw)


def spelled(pieces: list[bytes], form: str, own_bytes: bool) -> list[TokenLogprob]:
    """The tokens of an answer in a wire form; `own_bytes`: with the UTF-8 of what is shown as bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    tokens = []
    for raw in pieces:
        match form:
            case "openai":
                tokens.append(TokenLogprob(escaped(raw), -0.5, raw))
                continue
            case "true-bytes":
                tokens.append(TokenLogprob(raw.decode(errors="replace"), -0.5, raw))
                continue
            case "openai-completions":
                shown = escaped(raw)
                tokens.append(TokenLogprob("bytes:" * shown.startswith("\\x") + shown, -0.5))
                continue
            case "llama-cpp-python":
                tokens.append(TokenLogprob(raw.decode(errors="ignore"), -0.5))
                continue
            case "vllm":
                shown = decoder.decode(raw)
            case "byte-level":
                shown = "".join(SPELL[byte] for byte in raw)
            case "sentencepiece":
                shown = raw.decode().replace(" ", "▁")
            case "stripped-spaces":
                shown = raw.decode().strip(" ")
            case _:
                shown = raw.decode(errors="replace")
        tokens.append(TokenLogprob(shown, -0.5, shown.encode() if own_bytes or form == "vllm" else None))
    return tokens


def send(chance: random.Random) -> Sent:
    words = [chance.choice(WORDS) for _ in range(chance.randint(1, 8))]
    form = chance.choice(CUT_ANYWHERE + CUT_AT_CHARACTERS)
    # What a form has for no text: a "▁" that is one, and a token that nothing is left of.
    never = {"sentencepiece": ["▁"], "stripped-spaces": [" "]}.get(form, [])
    words = [word for word in words if word not in never] or ["a"]
    answer = "".join(words)
    data = answer.encode()
    if form in CUT_ANYWHERE:
        cuts = sorted({0, len(data), *(chance.randint(0, len(data)) for _ in range(chance.randint(0, 8)))})
    else:
        cuts = [0, *itertools.accumulate(len(word.encode()) for word in words)]
    truth: list[tuple[int, int] | None] = list(itertools.pairwise(cuts))
    tokens = spelled([data[start:end] for start, end in itertools.pairwise(cuts)], form, chance.random() < 0.5)
    before: list[TokenLogprob] = []
    behind: list[TokenLogprob] = []
    if form == "dropped":
        kept = [chance.random() < 0.8 for _ in tokens]
        tokens, truth = list(itertools.compress(tokens, kept)), list(itertools.compress(truth, kept))
    else:
        before, behind = around(answer, chance)
    text = chance.choice([answer, answer.strip()])
    shift = len(data) - len(answer.lstrip().encode()) if text != answer else 0
    size = len(text.encode())
    clipped = [None if span is None else tuple(min(max(at - shift, 0), size) for at in span) for span in truth]
    places = [None if span is None or span[0] == span[1] else (span[0], span[1]) for span in clipped]
    return Sent([*before, *tokens, *behind], text, [None] * len(before) + places + [None] * len(behind), form)


def around(answer: str, chance: random.Random) -> tuple[list[TokenLogprob], list[TokenLogprob]]:
    """What stands before and behind an answer in the list of tokens."""
    before: list[str] = chance.choice(
        [[], ["<think>", answer, " or", answer[:3], "?", "</think>", "\n\n"], ["```json\n"], ["<s>"], ["Hm, ", "so.\n"]]
    )
    behind: list[str] = chance.choice(
        [[], ["<|im_end|>"], ["\n```", "</s>"], ["<tool_call>", "{", answer, "}"], ["\n"]]
    )
    return [TokenLogprob(word, -0.5) for word in before], [TokenLogprob(word, -0.5) for word in behind]


def is_right(found: Alignment, sent: Sent) -> bool:
    """Whether each offset that is published is the true one, as far as the form lets anybody know."""
    data = sent.text.encode()
    for token, span, truth in zip(sent.tokens, found.byte_spans, sent.truth, strict=True):
        if span is None:
            continue
        if truth is None:
            return False
        if sent.form in ("replacement", "llama-cpp-python", "vllm"):
            # What is shown is not all that the token holds; a run of tokens that show nothing is one place.
            shown = data[slice(*span)]
            known = not token.token or "\ufffd" in token.token or shown in token.token.encode()
            right = known and span[0] < truth[1] and truth[0] < span[1]
        elif sent.form == "stripped-spaces":
            right = (
                truth[0] <= span[0]
                and span[1] <= truth[1]
                and data[slice(*span)].strip() == data[slice(*truth)].strip()
            )
        else:
            right = span == truth
        if not right:
            return False
    return True


def check(numbers: range) -> Counter[tuple[str, str]]:
    seen: Counter[tuple[str, str]] = Counter()
    for number in numbers:
        sent = send(random.Random(number))
        found = align(sent.tokens, sent.text)
        seen[sent.form, found.status.value] += 1
        assert is_right(found, sent), (number, sent, found, found.byte_spans)
    return seen


def placed(seen: Counter[tuple[str, str]], form: str) -> float:
    """The share of a form's answers that were placed."""
    every = sum(count for (other, _), count in seen.items() if other == form)
    return 1 - seen[form, "failed"] / every


def test_every_offset_is_right() -> None:
    seen = check(range(2000))
    for form in CUT_ANYWHERE + CUT_AT_CHARACTERS:
        assert placed(seen, form) > {"replacement": 0.75, "llama-cpp-python": 0.5, "stripped-spaces": 0.7}.get(
            form, 0.9
        ), form


@pytest.mark.slow
def test_every_offset_is_right_in_many_answers() -> None:
    check(range(100_000, 130_000))
