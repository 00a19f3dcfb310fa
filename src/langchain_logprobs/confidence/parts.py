"""Which part of the call does each token spell: the answer, a tool call, the reasoning, or nothing that counts?

What is known comes before what is guessed: what the chunk of a token said of it, the reasoning text that the message
carries, the marks around a reasoning text, the prompt that an echo repeats; then the alignment with the answer's text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import eq

from langchain_logprobs.confidence.alignment.align import Alignment, AlignmentStatus, align
from langchain_logprobs.confidence.alignment.token_bytes import bytes_of, is_special, readings, utf8
from langchain_logprobs.confidence.fields.find_json import answer_start
from langchain_logprobs.confidence.fields.tool_calls import ToolCallReport, tool_call_confidences
from langchain_logprobs.confidence.inputs import Asked, Choice, Told
from langchain_logprobs.confidence.thinking import is_mark, marks_among, thinking_end
from langchain_logprobs.formats.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Parts:
    """The tokens of one choice, each in one part; all positions count in the list of all its tokens.

    Attributes:
        alignment: The place of each token in the answer's text.
        answer: The tokens that spell the answer. Where the alignment failed, every token of which nothing says that
            it is something else.
        tool_call: Those of a tool call, its markup included.
        reasoning: Those of a reasoning text.
        outside: The rest: a prompt that is echoed, end marks, fences that the server stripped.
        tool_calls: The fields of each tool call; empty where the answer has none.
        answer_start: Where the answer begins in the text, behind its reasoning or the echoed prompt (code points).
    """

    alignment: Alignment
    answer: Sequence[int]
    tool_call: Sequence[int] = ()
    reasoning: Sequence[int] = ()
    outside: Sequence[int] = ()
    tool_calls: tuple[ToolCallReport, ...] = ()
    answer_start: int = 0

    @property
    def counted(self) -> Sequence[int]:
        """The positions that the measures are over: the answer's and the tool calls'."""
        return self.answer if not self.tool_call else sorted([*self.answer, *self.tool_call])


def divide(tokens: Tokens, choice: Choice, asked: Asked) -> Parts:
    """Give each token of a choice its part.

    Args:
        tokens: The tokens.
        choice: What else came with them.
        asked: What was asked for.
    """
    text = choice.text
    known = any(told.kind != "nothing" for told in choice.told)
    if not (known or choice.tool_calls or choice.reasoning_text or asked.echoed):
        alignment = align(tokens, text, stops=asked.stops)
        if alignment.status is AlignmentStatus.EXACT and not any(map(eq, alignment.starts, alignment.ends)):
            start = answer_start(alignment.text)
            if not start and text is not None:
                return Parts(alignment, range(len(tokens)))
    return _Division(tokens, choice, asked).parts()


class _Division:
    """The parts of an answer of which not everything is plain."""

    def __init__(self, tokens: Tokens, choice: Choice, asked: Asked) -> None:
        self.tokens = tokens
        self.choice = choice
        self.asked = asked
        self.reasoning: set[int] = set()
        self.tool_call: set[int] = set()
        self.call_marks: set[int] = set()  # special tokens that came with a call, which no measure is of

    def parts(self) -> Parts:
        alignment = self._align()
        text = alignment.text
        start = answer_start(text)
        if start:  # white space behind a thought is no answer yet
            start = len(text) - len(text[start:].lstrip())
        placed = self._placed(alignment)
        if not alignment.failed:
            self.reasoning.update(index for index in placed if alignment.ends[index] <= start)
        echoed = self.asked.echoed
        if echoed and text.startswith(echoed):
            start = max(start, len(echoed))
        answer = [index for index in placed if alignment.failed or alignment.ends[index] > start]
        self._find_reasoning_before(answer, alignment)
        calls = self._find_tool_calls([] if alignment.failed else answer)
        taken = self.reasoning | self.tool_call
        answer = [index for index in answer if index not in taken]
        taken.update(answer)
        thought = sorted(self.reasoning)
        spelled = marks_among([self.tokens.texts[index] for index in thought])
        marks = {index for at, index in enumerate(thought) if at in spelled or self._is_mark(index)}
        return Parts(
            alignment,
            answer,
            sorted(self.tool_call),
            sorted(self.reasoning - marks),
            [index for index in range(len(self.tokens)) if index not in taken or index in marks],
            calls,
            start,
        )

    def _align(self) -> Alignment:
        """Align the tokens that may be the answer's with its text; those known to be something else have no place."""
        everything = range(len(self.tokens))
        known = self._told() or self._reasoning_text()
        rest = [index for index in everything if index not in known]
        text = self.choice.text
        if text == "":  # whatever the tokens spell, it is not the answer's text
            self.reasoning |= known - self.tool_call - self.call_marks
            self._take_for_reasoning(self._without_text(), min(self.tool_call, default=len(self.tokens)))
            nowhere = [0] * len(self.tokens)
            return Alignment(AlignmentStatus.EXACT, "", len(self.tokens), nowhere, nowhere)
        alignment = align(self.tokens, text, among=rest, stops=self.asked.stops)
        for others in self._doubtful() if alignment.failed else ():
            among = [index for index in rest if index not in others]
            found = align(self.tokens, text, among=among, stops=self.asked.stops)
            if not found.failed:
                alignment = found
                placed = (index for index in among if found.starts[index] < found.ends[index])
                self._take_for_reasoning(others & self._without_text(), next(placed, 0))
                break
        if alignment.failed and known:
            # What was known of some tokens does not go with the text: the text is the better witness.
            again = align(self.tokens, text, stops=self.asked.stops)
            if not again.failed:
                self.tool_call.clear()
                return again
        self.reasoning |= known - self.tool_call - self.call_marks
        return alignment

    def _told(self) -> set[int]:
        """The tokens whose chunks say that they are no part of the text."""
        for told in self.choice.told:
            if told.kind == "tool_call":
                called = range(self._behind_thought(told), told.end)
                self.call_marks.update(index for index in called if is_special(self.tokens.texts[index]))
                self.tool_call.update(index for index in called if index not in self.call_marks)
        return {index for told in self.choice.told if told.kind != "nothing" for index in range(told.start, told.end)}

    def _behind_thought(self, told: Told) -> int:
        """The first token of a chunk that is no reasoning: servers that parse calls late send both in one chunk."""
        words = self.tokens.texts[told.start : told.end]
        joined = "".join(words)
        end = thinking_end(joined)
        end = end and len(joined) - len(joined[end:].lstrip())
        return told.start + bisect_left(list(accumulate(map(len, words), initial=0)), end) if end else told.start

    def _without_text(self) -> set[int]:
        """The tokens that came in chunks that brought nothing else."""
        return {index for told in self.choice.told if told.kind == "nothing" for index in range(told.start, told.end)}

    def _doubtful(self) -> Iterator[set[int]]:
        """Yield what may be no part of the text, the likelier first, where all tokens together do not go with it."""
        without_text = self._without_text()
        if without_text:
            yield without_text
        if self.choice.tool_calls:
            # Servers that send a call's arguments without any markup: they stand beside the text like a part of it.
            called = {index for report in self._call_reports(None) for index in _tokens_of(report)}
            yield called
            yield called | without_text

    def _take_for_reasoning(self, indices: set[int], stop: int) -> None:
        """Take the tokens before the answer whose chunks had no text for a reasoning that LangChain left out."""
        self.reasoning.update(index for index in indices if index < stop)

    def _reasoning_text(self) -> set[int]:
        """The first tokens, where they spell the reasoning text that came apart; behind marks and white space."""
        core = utf8(self.choice.reasoning_text.strip())
        for _, pieces in readings(self.tokens.texts, bytes_of(self.tokens)) if core else ():
            at = b"".join(pieces).find(core)
            if at >= 0:
                ends = list(accumulate(map(len, pieces)))
                before = range(bisect_left(ends, at + 1))
                return set(range(bisect_left(ends, at + len(core)) + 1)) if all(map(self._is_mark, before)) else set()
        return set()

    def _placed(self, alignment: Alignment) -> list[int]:
        if alignment.failed:
            known = self.reasoning | self.tool_call
            return [index for index in range(len(self.tokens)) if index not in known and not self._is_mark(index)]
        unknown_text = self.choice.text is None
        return [
            index
            for index in range(len(self.tokens))
            if alignment.starts[index] < alignment.ends[index]
            and not (unknown_text and is_special(self.tokens.texts[index]))
        ]

    def _find_reasoning_before(self, answer: list[int], alignment: Alignment) -> None:
        """Tokens that end in an end mark are a reasoning text: those before the answer that have no place in it.

        Where the answer has no place at all, whatever stands before an end mark.
        """
        placed = set() if alignment.failed else set(answer)
        stop = answer[0] if placed else len(self.tokens)
        before = [index for index in range(stop) if index not in placed]
        joined = "".join([self.tokens.texts[index] for index in before])
        end = thinking_end(joined)
        if alignment.failed and end == len(joined):
            return  # it was not seen to end, and something in there is the answer
        offset = 0
        for index in before:
            if offset >= end:
                break
            offset += len(self.tokens.texts[index])
            self.reasoning.add(index)

    def _find_tool_calls(self, answer: list[int]) -> tuple[ToolCallReport, ...]:
        if not self.choice.tool_calls:
            return ()
        first = max(self.reasoning, default=-1) + 1
        reports = self._call_reports(first or None)
        placed = set(answer)
        for report in reports:
            for index in _tokens_of(report):
                # JSON that the answer's text holds as well stays the answer's.
                if index not in placed and not is_special(self.tokens.texts[index]):
                    self.tool_call.add(index)
                    self.reasoning.discard(index)
        if not self.tool_call and self.choice.text == "" and (self.reasoning or not self.choice.reasoning_text):
            # The call is spelled in no markup that is known here, and nothing else is left that they could be.
            self.tool_call.update(index for index in range(first, len(self.tokens)) if not self._is_mark(index))
        return reports

    def _call_reports(self, first: int | None) -> tuple[ToolCallReport, ...]:
        calls = self.choice.tool_calls
        schemas = self.asked.tool_schemas(calls)
        return tuple(tool_call_confidences(self.tokens, calls, schemas=schemas, first_token=first))

    def _is_mark(self, index: int) -> bool:
        text = self.tokens.texts[index]
        return is_special(text) or is_mark(text)


def _tokens_of(report: ToolCallReport) -> range:
    """The tokens that spell a call."""
    start = report.token_start
    return range(0) if start is None else range(start, start + report.token_count)
