"""What is unsure in an answer, by its report and the thresholds of who uses it. Computes no number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

from langchain_logprobs.confidence.calibrated import Calibration, score_at
from langchain_logprobs.confidence.fields.json_pointer import split
from langchain_logprobs.confidence.printable import decimal, printable
from langchain_logprobs.confidence.report import ConfidenceReport, Leaf
from langchain_logprobs.telemetry.sentences import passage_of

OnMissing = Literal["allow", "review", "raise"]
ON_MISSING = ("allow", "review", "raise")

Below = float | Mapping[str, float] | Calibration

_MAX_VALUE = 80
_MAX_LISTED = 8


class MissingLogprobsError(RuntimeError):
    """An answer came without the logprobs that a decision needs, and `on_missing="raise"` was chosen."""


class Doubt(NamedTuple):
    """A value that is not sure enough, or the answer as a whole.

    Attributes:
        path: JSON Pointer of the value, of a tool call's argument `/tool_calls/<index>/<name>/<argument>`; "" for the
            answer as a whole.
        value: The value; of the answer as a whole its text.
        confidence: How sure the model was; None where a token has no honest logprob: it may be anything.
        threshold: How sure it had to be; None where a calibration knows none that keeps its promise.
        nearly: What the model nearly said, as JSON; None where that is not known.
        nearly_probability: The probability of that.
        tool_call: The index of the tool call; None for a value of the answer.
        about: All of it in a line.
    """

    path: str
    value: Any
    confidence: float | None
    threshold: float | None
    nearly: str | None
    nearly_probability: float | None
    tool_call: int | None
    about: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found in an answer.

    Attributes:
        doubts: What is not sure enough, in the order of the answer.
        missing: Why it cannot be told of a part of the answer, or of all of it; None where it can be told.
    """

    doubts: tuple[Doubt, ...]
    missing: str | None = None

    @property
    def sure(self) -> bool:
        """Whether all is known and sure."""
        return not self.doubts and self.missing is None

    @property
    def confidence(self) -> float | None:
        """The least known confidence among the doubts."""
        return min((doubt.confidence for doubt in self.doubts if doubt.confidence is not None), default=None)

    @property
    def about(self) -> str:
        """The doubts in a line, and what is missing."""
        listed = [doubt.about for doubt in self.doubts[:_MAX_LISTED]]
        if len(self.doubts) > _MAX_LISTED:
            listed.append(f"{len(self.doubts) - _MAX_LISTED} more")
        if self.missing is not None:
            listed.append(self.missing)
        return "; ".join(listed)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, which a checkpoint keeps."""
        return {"doubts": [doubt._asdict() for doubt in self.doubts], "missing": self.missing}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Judgement:
        """Return what `to_dict` gave."""
        return cls(tuple(Doubt(**each) for each in data["doubts"]), data["missing"])


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How sure an answer has to be.

    Attributes:
        below: One number for all; or numbers by JSON Pointer, each for the value there and all below it, `*` for any
            key or index, the most special one counts, and what none names is not looked at; or a calibration, which
            knows them by model, prompt and path, and of what it does not know nothing is sure.
        prompt: What the prompt is called in the calibration.
    """

    below: Below
    prompt: str | None = None
    _patterns: tuple[tuple[list[str], float], ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        """Check them.

        Raises:
            TypeError: They are of none of the three kinds.
            ValueError: A number is no probability, or a key no JSON Pointer.
        """
        if isinstance(self.below, Calibration):
            return
        given = self.below if isinstance(self.below, Mapping) else {"": self.below}
        if not given:
            raise ValueError("below={} names no threshold. Give a number for all, or one for each JSON Pointer")
        for path, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise TypeError(
                    f"below={value!r:.200} is no threshold: give a probability such as 0.8, a dict of them by JSON "
                    "Pointer, or a Calibration"
                )
            if not 0.0 < value <= 1.0:
                raise ValueError(f"below={value!r} is no probability over 0 and up to 1")
            if not isinstance(path, str) or (path and not path.startswith("/")):
                raise ValueError(f'below names {path!r:.200}, which is no JSON Pointer: "" or "/..."')
        ordered = sorted(given.items(), key=lambda item: (item[0].count("/"), -item[0].count("*")), reverse=True)
        object.__setattr__(self, "_patterns", tuple((split(path), float(value)) for path, value in ordered))

    def judge(self, report: ConfidenceReport | None, model: str) -> Judgement:
        """Find what is unsure in an answer, by its report.

        Args:
            report: The report on the call; None where no call was seen.
            model: The model that answered, as a calibration calls it.
        """
        if report is None:
            return Judgement((), "no model call was seen that the answer could be from")
        if not report.has_tokens or report.status in ("missing", "not_requested"):
            return Judgement((), f"no logprobs ({report.status}){f': {report.reason}' if report.reason else ''}")
        missing = None
        if report.status == "partial":
            missing = f"some logprobs are missing{f': {report.reason}' if report.reason else ''}"
        found: list[Doubt] = []
        leaves = list(report.leaves())
        for leaf in leaves:
            if not self._watches(leaf.path):
                continue
            if not leaf.field.token_count:
                missing = missing or f"no logprobs of {leaf.path}"
            elif (doubt := self._doubt_of(leaf, report, model)) is not None:
                found.append(doubt)
        for call in report.tool_calls:
            if not call.fields and self._watches(call.path):
                missing = missing or f"no logprobs of the arguments of {call.name} ({call.fields.status})"
        # Of tokens that are not those of the answer's text nothing is known; the status is `partial` then.
        prose = not leaves and not report.tool_calls and report.alignment != "failed"
        if prose and self._watches("") and (whole := self._whole(report, model)) is not None:
            found.append(whole)
        return Judgement(tuple(found), missing)

    def _watches(self, path: str) -> bool:
        return isinstance(self.below, Calibration) or self._named(path) is not None

    def _named(self, path: str) -> float | None:
        """Return the threshold that the most special pointer names."""
        parts = split(path)
        for pattern, value in self._patterns:
            if len(pattern) <= len(parts) and all(
                wanted in ("*", part) for wanted, part in zip(pattern, parts, strict=False)
            ):
                return value
        return None

    def _threshold(self, path: str, model: str) -> float | None:
        if isinstance(self.below, Calibration):
            return self.below.threshold(model=model, path=path, prompt=self.prompt)
        return self._named(path)

    def _doubt_of(self, leaf: Leaf, report: ConfidenceReport, model: str) -> Doubt | None:
        confidence, threshold = leaf.field.confidence, self._threshold(leaf.path, model)
        if confidence is not None and threshold is not None and confidence >= threshold:
            return None
        runner_up = leaf.field.runner_up
        nearly, probability = (None, None) if runner_up is None else (str(runner_up), runner_up.probability)
        shown = _short(json.dumps(leaf.field.value, ensure_ascii=False))
        about = f"{printable(leaf.path)} {shown} {decimal(confidence)}".strip()
        if nearly is not None:
            about += f", nearly {_short(nearly)} {decimal(probability)}"
        index = next((call.index for call in report.tool_calls if call.path == leaf.above), None)
        return Doubt(leaf.path, leaf.field.value, confidence, threshold, nearly, probability, index, about)

    def _whole(self, report: ConfidenceReport, model: str) -> Doubt | None:
        score, threshold = score_at(report, ""), self._threshold("", model)
        if score is not None and threshold is not None and score >= threshold:
            return None
        about = f"{decimal(score)}: {passage_of(report).line()}"
        return Doubt("", report.text[report.choices[0].parts.answer_start :], score, threshold, None, None, None, about)


def on_missing_of(word: object) -> OnMissing:
    """Return what is to be done without logprobs, checked.

    Raises:
        ValueError: It is none of the words; there is no default, because both ways of guessing are wrong.
    """
    if word not in ON_MISSING:
        raise ValueError(
            f"on_missing={word!r:.200} is none of {', '.join(ON_MISSING)}. Choose what is to happen with an answer "
            "without logprobs: let it pass, show it to a person, or raise"
        )
    return cast("OnMissing", word)


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _MAX_VALUE else f"{shown[:_MAX_VALUE]}…"
