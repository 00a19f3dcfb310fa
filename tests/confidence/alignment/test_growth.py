"""However the tokens and the text are made: eight times as many cost about eight times the time."""

import time
from collections.abc import Callable

import pytest

from langchain_logprobs.confidence.alignment.align import align
from langchain_logprobs.formats.tokens import TokenLogprob
from tests.counting import bytes_in, calls_in

Case = tuple[list[str], str]


def words(count: int, form: str = " w{}") -> list[str]:
    return [form.format(at % 997) for at in range(count)]


def split_characters(count: int, shown: str) -> Case:
    return [shown, shown, " a"] * (count // 3), "😀 a" * (count // 3)


SHAPES: dict[str, Callable[[int], Case]] = {
    "exact": lambda count: (words(count), "".join(words(count))),
    "reasoning before": lambda count: (["<think>", *words(count), "</think>", "42"], "42"),
    "reasoning full of the answer": lambda count: (["<think>", *["42. "] * count, "</think>", "42"], "42"),
    "end of the answer only": lambda count: (words(count), "".join(words(count // 2))),
    "tool call behind": lambda count: (["Hi", "<tool_call>", *words(count)], "Hi"),
    "many tool calls": lambda count: (["<tool_call>", "</tool_call>"] * (count // 2) + ["Hi"], "Hi"),
    # Up to 4,096 closing marks are walked through; with more the text is looked for in all other ways, too.
    "closing tags": lambda count: (["Hi", *["</tool_call>"] * (count // 8)], "Hi"),
    "many closing tags": lambda count: (["Hi", *["</tool_call>"] * (2 * count)], "Hi"),
    "many tags before": lambda count: (["</tool_call>"] * count + ["Hi"], "Hi."),
    "unclosed angle brackets": lambda count: (["<"] * count + ["Hi"], "Hi."),
    "only special tokens": lambda count: (["<|x|>"] * count, "<|x|>" * (count // 2) + "a"),
    "only fences": lambda count: (["```\n"] * count, "```\n" * (count // 2)),
    "only white space": lambda count: ([" "] * count, " " * (count // 2)),
    "periodic": lambda count: (["ab"] * count, "ab" * (count // 2) + "a"),
    "one letter": lambda count: (["a"] * count + ["b"], "a" * (count // 2) + "ab"),
    "stripped": lambda count: (words(count), "\n\n" + "".join(words(count)).strip() + "\n"),
    "without spaces": lambda count: ([word.strip() for word in words(count)], "".join(words(count))),
    "lost bytes": lambda count: split_characters(count, "\ufffd"),
    "nothing shown": lambda count: split_characters(count, ""),
    "nothing shown, no way": lambda count: (["", "a"] * (count // 2), "éa" * (count // 2) + "b"),
    "nothing shown, many ways": lambda count: (["", "é"] * (count // 2), "é" * count),
    "byte-level": lambda count: (words(count, "Ġw{}"), "".join(words(count))),
    "every other token lost": lambda count: (words(count)[::2], "".join(words(count))),
    "a tenth lost": lambda count: (
        [f" {at};" for at in range(count) if at % 10],
        "".join(map(" {};".format, range(count))),
    ),
    "one letter lost": lambda count: (["a"] * count, "a" * count + "a"),
    "nothing in common": lambda count: (words(count), "z" * count),
    "nothing in common, CJK": lambda count: (words(count, "日本{}"), "語" * count),
}  # fmt: skip


def seconds(case: Case) -> float:
    """Seconds of the processor, the best of several: on a busy machine they grow, and their ratio stays."""
    tokens = [TokenLogprob(word, -0.5) for word in case[0]]
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        align(tokens, case[1])
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_the_length(shape: str) -> None:
    small, large = seconds(SHAPES[shape](4_000)), seconds(SHAPES[shape](32_000))
    assert large < max(small, 2e-4) * 8 * 2.5, (small, large)  # quadratic: 64 times


def test_a_part_costs_what_it_holds() -> None:
    """A hundred and sixty tool calls of one answer: no part goes through all the tokens."""

    def work(count: int) -> Callable[[], object]:
        alignment = align([TokenLogprob("é", -0.5)] * count, "é" * count)

        def part() -> object:
            made = alignment.part(2_000, 2_200)
            assert made.tokens_between(0, 200) == range(2_000, 2_200)
            return made

        return part

    assert calls_in(work(32_000)) < calls_in(work(4_000)) + 50
    assert bytes_in(work(32_000)) < bytes_in(work(4_000)) + 5_000
