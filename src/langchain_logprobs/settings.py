"""What a user can choose, checked once, when it is chosen."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from langchain_logprobs.formats.tokens import LOW_PROBABILITY

ENV_PREFIX = "LANGCHAIN_LOGPROBS_"
"""Every setting can be given as this prefix and its name in capitals, e.g. `LANGCHAIN_LOGPROBS_EVENTS=log`."""

CAPTURE_CONTENT_ENV = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The ecosystem's own switch. NO_CONTENT removes all text, SPAN_ONLY and SPAN_AND_EVENT add the messages."""

_CONTENT_MODES = ("NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT")


def _number(default: float, low: float, high: float, doc: str) -> Any:
    return field(default=default, metadata={"range": (low, high), "doc": doc})


def _choice(default: Any, doc: str) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The handler's settings, immutable; a wrong value raises ValueError naming the setting and what is allowed."""

    spans: Literal["all", "llm"] = _choice("all", "A span for every visible run, or for model calls only.")
    events: Literal["span", "log", "both", "none"] = _choice(
        "span", "Where events go: on the span, out as log records correlated to it, both, or nowhere."
    )
    capture_text: bool = _choice(
        True, "Record token text. False keeps every number and removes every piece of text the model wrote."
    )
    capture_messages: bool = _choice(
        False, "Record prompts and answers as `gen_ai.input.messages` and `gen_ai.output.messages`."
    )
    alternatives: Literal["low", "all", "none"] = _choice(
        "low", "Record the alternatives of the tokens under `low_probability`, of all tokens, or none."
    )
    low_probability: float = _number(
        LOW_PROBABILITY, 1e-9, 1.0, "A token under this probability is low. Not calibrated for any model."
    )
    high_confidence: float = _number(
        0.8, 0.0, 1.0, "exp(mean logprob) from which an answer's level is `high`. Not calibrated."
    )
    medium_confidence: float = _number(
        0.5, 0.0, 1.0, "exp(mean logprob) from which an answer's level is `medium`, below it `low`. Not calibrated."
    )
    censored_floor: float = _number(
        -100.0, -9998.0, 0.0, "What stands in `logprobs.values` for a token without an honest logprob (nats)."
    )
    max_chunk_events: int = _number(64, 1, 128, "`logprobs.chunk` events on a span; over it, neighbours share one.")
    max_stretches: int = _number(16, 0, 128, "`logprobs.low_confidence` events on a span: the worst stretches.")
    max_fields: int = _number(64, 0, 10_000, "JSON fields in `logprobs.fields.*`: the least certain ones.")
    detail_bytes: int = _number(
        46_500,
        0,
        4_000_000,
        "Up to this size (bytes of OTLP) a span gets what explains or repeats its arrays: more than 8 stretches and "
        "chunk events, the alternatives of low tokens, each chunk's own tokens.",
    )
    span_bytes: int = _number(
        262_144, 4_096, 4_000_000, "Bytes of OTLP a span may take: alternatives are trimmed first, then the arrays."
    )
    max_open_runs: int = _number(10_000, 1, 10_000_000, "Runs open at once; over it, the oldest is closed.")
    max_run_seconds: float = _number(3_600.0, 0.001, 1e9, "Seconds after which an open run is closed as abandoned.")
    max_chunks: int = _number(200_000, 1, 100_000_000, "Chunks kept of one run; what comes after is not recorded.")

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            ValueError: A value is not allowed; the message names the setting and the allowed values.
        """
        hints = get_type_hints(type(self))
        for item in fields(self):
            _check(item.name, getattr(self, item.name), hints[item.name], item.metadata.get("range"))
        if self.medium_confidence > self.high_confidence:
            raise ValueError(
                f"Settings.medium_confidence={self.medium_confidence!r} is above "
                f"high_confidence={self.high_confidence!r}; it must be at most that."
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Read the settings from environment variables; what is not set has its default.

        Args:
            environ: The variables to read; None for the process's own.
            **overrides: Settings that win over the environment.

        Returns:
            The settings.

        Raises:
            ValueError: A variable has a value that is not allowed; the message names it.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        mode = environ.get(CAPTURE_CONTENT_ENV, "").strip().upper()
        if mode and mode not in _CONTENT_MODES:
            raise ValueError(f"{CAPTURE_CONTENT_ENV}={mode!r} is not one of {', '.join(_CONTENT_MODES)}.")
        if mode == "NO_CONTENT":
            values["capture_text"] = False
        elif mode in ("SPAN_ONLY", "SPAN_AND_EVENT"):
            values["capture_messages"] = True
        hints = get_type_hints(cls)
        for item in fields(cls):
            raw = environ.get(ENV_PREFIX + item.name.upper())
            if raw:
                values[item.name] = _parse(ENV_PREFIX + item.name.upper(), raw.strip(), hints[item.name])
        return cls(**{**values, **overrides})


def _check(name: str, value: Any, hint: Any, bounds: tuple[float, float] | None) -> None:
    if get_origin(hint) is Literal:
        allowed = get_args(hint)
        if not isinstance(value, str) or value not in allowed:
            raise ValueError(f"Settings.{name}={value!r} is not one of {', '.join(map(repr, allowed))}.")
    elif hint is bool:
        if not isinstance(value, bool):
            raise ValueError(f"Settings.{name}={value!r} is not True or False.")
    else:
        assert bounds is not None
        kinds = (int,) if hint is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not bounds[0] <= value <= bounds[1]:
            kind = "an integer" if hint is int else "a number"
            raise ValueError(f"Settings.{name}={value!r} is not {kind} from {bounds[0]:g} to {bounds[1]:g}.")


def _parse(name: str, raw: str, hint: Any) -> Any:
    if hint is bool:
        lowered = raw.lower()
        if lowered in ("true", "1", "yes", "on"):
            return True
        if lowered in ("false", "0", "no", "off"):
            return False
        raise ValueError(f"{name}={raw!r} is not true or false.")
    if hint in (int, float):
        try:
            return hint(raw)
        except ValueError:
            raise ValueError(f"{name}={raw!r} is not {'an integer' if hint is int else 'a number'}.") from None
    return raw
