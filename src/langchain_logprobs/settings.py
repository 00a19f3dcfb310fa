"""What a user can choose, checked once, when it is chosen."""

from __future__ import annotations

import ast
import inspect
import itertools
import logging
import os
import textwrap
import threading
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from langchain_logprobs.formats.tokens import LOW_PROBABILITY

logger: logging.Logger = logging.getLogger("langchain_logprobs")

ENV_PREFIX = "LANGCHAIN_LOGPROBS_"
"""Every setting can be given as this prefix and its name in capitals, e.g. `LANGCHAIN_LOGPROBS_EVENTS=log`."""

CAPTURE_CONTENT_ENV = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""The switch that all GenAI instrumentations share, see `Settings.from_env`."""

PAGE_URL = r"^https?://[^\s{}/?#]+([^\s{}]|\{span_id\})*\{trace_id\}([^\s{}]|\{span_id\}|\{trace_id\})*$"
PAGE_URL_IN_WORDS = "an http or https address with {trace_id} in it, and {span_id} where it is wanted, or None"

_T = TypeVar("_T")


class Setting(NamedTuple):
    """What one setting can be, read off its declaration in `Settings`.

    Attributes:
        name: Its name.
        annotation: Its type, with its range where it is a number.
        default: Its default.
        choices: The words that it can be; empty for a switch or a number.
        low: The least number that it can be; None for words and switches.
        high: The greatest one.
        described: What else it can be, in words.
    """

    name: str
    annotation: Any
    default: Any
    choices: tuple[str, ...]
    low: float | None
    high: float | None
    described: str | None = None

    @property
    def allowed(self) -> str:
        """What it can be, e.g. `an integer from 1 to 128`."""
        if self.described:
            return self.described
        if self.choices:
            return f"one of {', '.join(map(repr, self.choices))}"
        if self.low is None:
            return "True or False"
        if isinstance(self.default, int):
            return f"an integer from {self.low} to {self.high}"
        return f"a number from {self.low:g} to {self.high:g}"

    @property
    def variable(self) -> str:
        """The environment variable that gives it."""
        return ENV_PREFIX + self.name.upper()


SETTINGS: dict[str, Setting] = {}
"""Every setting by its name, in the order of their declaration; `Settings` fills it."""


def meanings() -> dict[str, str]:
    """Return what each setting means, by its name: the text under its declaration, which editors show as well.

    Empty where the source of this module is not installed.
    """
    try:
        (declaration,) = ast.parse(textwrap.dedent(inspect.getsource(Settings))).body
    except OSError:
        return {}
    found = {}
    for item, text in itertools.pairwise(cast("ast.ClassDef", declaration).body):
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            found[item.target.id] = " ".join(ast.literal_eval(cast("ast.Expr", text).value).split())
    return found


class _Help:
    """The docstring of `Settings` with every setting in it, made when it is asked for: it costs a parser's run."""

    def __init__(self, docstring: str | None) -> None:
        self._docstring = inspect.cleandoc(docstring or "Settings.")  # None under python -OO

    def __get__(self, instance: object, owner: type | None = None) -> str:
        lines = [self._docstring, "", "Attributes:"]
        texts = meanings()
        for each in SETTINGS.values():
            allowed = f"{each.allowed[0].upper()}{each.allowed[1:]}; default {each.default!r}."
            text = f"{each.name}: {texts.get(each.name, '')} {allowed}"
            lines.append(textwrap.fill(text, 112, initial_indent=" " * 4, subsequent_indent=" " * 8))
        return "\n".join(lines)


def _readable(cls: type[_T]) -> type[_T]:
    """Give `Settings`, a dataclass of pydantic's, a help text and errors that a person can read."""
    hints = get_type_hints(cls, include_extras=True)
    for name, field in cls.__pydantic_fields__.items():  # type: ignore[attr-defined]
        bounds = {key: getattr(item, key) for item in field.metadata for key in ("ge", "le") if hasattr(item, key)}
        SETTINGS[name] = Setting(
            name=name,
            annotation=hints[name],
            default=field.default,
            choices=get_args(field.annotation) if get_origin(field.annotation) is Literal else (),
            low=bounds.get("ge"),
            high=bounds.get("le"),
            described=field.description,
        )
    cls.__doc__ = cast(str, _Help(cls.__doc__))
    # Without this, `help` begins with a line of 1,800 characters, all ranges as pydantic's objects.
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(each.name, kind, default=each.default) for each in SETTINGS.values()]
    cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    validate: Callable[..., None] = cls.__init__

    def __init__(self: _T, *args: Any, **kwargs: Any) -> None:
        try:
            validate(self, *args, **kwargs)
        except ValidationError as error:
            raise _refusal(error) from None

    cls.__init__ = __init__  # type: ignore[assignment]
    return cls


@_readable
@dataclass(
    frozen=True,
    slots=True,
    kw_only=True,
    config=ConfigDict(strict=True, extra="forbid"),
)
class Settings:
    """What is recorded, and how much of it. Immutable.

    Example:
        >>> from langchain_logprobs import Settings
        >>> Settings(capture_text=False, low_probability=0.1).low_probability
        0.1

    A wrong value raises ValueError with the setting, the value and what is allowed; an unknown name raises TypeError.
    Each setting can also be an environment variable, see `from_env`.
    """

    # One line and its text make a setting: checks, help, the variable and the page are made from them.

    spans: Literal["join", "all", "llm"] = "join"
    """What gets a span: every visible run (`all`) or model calls only (`llm`). `join` is `all`, but where another
    instrumentation of LangChain or of the model's client is on: then ours is added to its spans (docs/joining.md)."""
    events: Literal["span", "log", "both", "none"] = "span"
    """Where events go: on the span, out as log records correlated to it, both, or nowhere."""
    capture_text: bool = True
    """Record token text. False keeps every number and removes every piece of text the model wrote."""
    capture_messages: bool = False
    """Record prompts as `gen_ai.input.messages`. Needs `capture_text`, with which answers are always recorded."""
    alternatives: Literal["low", "all", "none"] = "low"
    """Record the alternatives of the most contested tokens as far as `detail_bytes` reaches, of all tokens, or none."""
    request_logprobs: Annotated[int, Field(ge=0, le=20)] = 0
    """Ask every model for logprobs with so many alternatives a token, where the code has not decided by itself; 0 asks
    none. Only with the instrumentor."""
    keep_on_message: Literal["auto", "always"] = "auto"
    """`auto` takes what `request_logprobs` asked for off the message again; what the code asked for stays. `always`
    leaves it there, too."""
    low_probability: Annotated[float, Field(ge=1e-9, le=1.0)] = LOW_PROBABILITY
    """A token under this probability is low. Not calibrated for any model."""
    high_confidence: Annotated[float, Field(ge=0.0, le=1.0)] = 0.86
    """The score from which a level is `high`: of prose exp(mean logprob), of a structured answer or a tool call the
    confidence of its least certain value. What this finds on labelled answers is in docs/confidence.md."""
    medium_confidence: Annotated[float, Field(ge=0.0, le=1.0)] = 0.65
    """The score from which a level is `medium`; below it, it is `low`."""
    censored_floor: Annotated[float, Field(ge=-9998.0, le=0.0)] = -100.0
    """What stands in `logprobs.values` for a token without an honest logprob (nats)."""
    max_chunk_events: Annotated[int, Field(ge=1, le=128)] = 64
    """`logprobs.chunk` events on a span; over it, neighbours share one."""
    max_stretches: Annotated[int, Field(ge=0, le=128)] = 16
    """`logprobs.low_confidence` events on a span: the worst stretches."""
    max_fields: Annotated[int, Field(ge=0, le=10_000)] = 64
    """JSON fields in `logprobs.fields.*`: the least certain ones."""
    detail_bytes: Annotated[int, Field(ge=0, le=4_000_000)] = 45_400
    """Up to this size (bytes of OTLP) the span of 2,000 tokens gets what explains or repeats its arrays: more than 8
    stretches and chunk events, the alternatives of low tokens, each chunk's own tokens. Shorter ones in proportion."""
    span_bytes: Annotated[int, Field(ge=4_096, le=4_000_000)] = 262_144
    """Bytes of OTLP a span may take: alternatives are trimmed first, then the arrays."""
    max_open_calls: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Model calls open at once; over it, the oldest is closed. One that streams takes about 10 KB and its chunks."""
    max_run_seconds: Annotated[float, Field(ge=0.001, le=1e9)] = 3_600.0
    """Seconds after which an open run is closed as abandoned."""
    max_chunks: Annotated[int, Field(ge=1, le=100_000_000)] = 200_000
    """Chunks kept of one run; what comes after is not recorded."""
    deferred: bool = False
    """Do the work at the end of a run in a thread of ours, not in the caller's. See docs/sending.md."""
    max_deferred_tokens: Annotated[int, Field(ge=1, le=100_000_000)] = 200_000
    """Tokens that may wait for that thread; over it, a call ends at once without its logprobs. One takes up to 3 KB."""

    page_url: Annotated[str | None, Field(pattern=PAGE_URL, description=PAGE_URL_IN_WORDS)] = None
    """Where the page of a trace is served, e.g. `http://127.0.0.1:8899/trace/{trace_id}#span-{span_id}`: the spans of
    model calls and those above them get their link as `logprobs.page`."""

    def __post_init__(self) -> None:
        """Refuse what is allowed each by itself and not together."""
        if self.medium_confidence > self.high_confidence:
            raise ValueError(
                f"Settings.medium_confidence={self.medium_confidence!r} is above "
                f"high_confidence={self.high_confidence!r}; it must be at most that."
            )
        if self.capture_messages and not self.capture_text:
            raise ValueError(
                "Settings.capture_messages=True needs capture_text=True: messages are text, "
                "and capture_text=False promises that none goes out."
            )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
        """Read the settings from environment variables; what is not set has its default.

        A setting's variable is `LANGCHAIN_LOGPROBS_` and its name in capitals; words are read in any case. What stands
        in the environment never raises: a value that is not allowed is one line in the log, as an error of the logger
        `langchain_logprobs`, and the default is taken (for `capture_text` False: who sets it wants text kept in). A
        variable with the prefix that is no setting is one warning. Each is said once a process.

        The switch of all GenAI instrumentations, `OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`, is read too.
        `NO_CONTENT` means `capture_text=False`; `SPAN_ONLY`, `SPAN_AND_EVENT`, `true` and `1` mean
        `capture_messages=True`; `EVENT_ONLY`, `false`, `0` and nothing change nothing, as messages are only ever
        written on spans. Any other word is one warning and counts as `NO_CONTENT`. Where it and our own variables
        differ about text, the stricter one holds.

        Args:
            environ: The variables to read; None for the process's own.
            **overrides: Settings that win over the environment. Only `capture_messages=True` does not win over an
                environment that keeps all text in.

        Returns:
            The settings.

        Raises:
            ValueError: An override has a value that is not allowed.
            TypeError: An override is no setting.

        Example:
            >>> Settings.from_env({"LANGCHAIN_LOGPROBS_EVENTS": "LOG"}, spans="llm").events
            'log'
        """
        environ = os.environ if environ is None else environ
        found = _own_variables(environ)
        _keep_text_in(found, environ)
        for name in overrides:
            found.pop(name, None)
        chosen = {**found, **overrides}
        if chosen.get("capture_messages") is True and found.get("capture_text") is False:
            _say_once(
                logging.WARNING,
                "langchain-logprobs does not follow capture_messages=True: the environment keeps all text in",
            )
            chosen["capture_messages"] = False
        elif chosen.get("capture_text") is False and found.get("capture_messages") is True:
            chosen["capture_messages"] = False
        _drop_disordered_levels(found, chosen)
        return cls(**chosen)


def _refusal(error: ValidationError) -> Exception:
    """Say in our words what pydantic refused."""
    wrong = []
    for fault in error.errors(include_url=False):
        if fault["type"] == "unexpected_positional_argument":
            return TypeError("Settings takes its settings by name, e.g. Settings(spans='llm').")
        if fault["type"] == "unexpected_keyword_argument":
            name = str(fault["loc"][0])
            return TypeError(f"Settings has no setting {name!r}{_suggestion(name, list(SETTINGS))}")
        if fault["type"] == "value_error":  # of __post_init__
            wrong.append(str(fault["ctx"]["error"]))
        else:
            each = SETTINGS[str(fault["loc"][0])]
            wrong.append(f"Settings.{each.name}={fault['input']!r:.200} is not {each.allowed}.")
    return ValueError("\n".join(wrong))


def _suggestion(wrong: str, names: list[str]) -> str:
    import difflib  # only those who mistype pay for it

    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.5)
    return f": did you mean {close[0]}?" if close else f"; there are {', '.join(names)}."


def _own_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read our variables, and say what is wrong with them."""
    found: dict[str, Any] = {}
    for each in SETTINGS.values():
        text = environ.get(each.variable, "").strip()
        if not text:
            continue
        try:
            # Not strict: of text, pydantic reads numbers, and yes, on, 1 and the like as switches, in any case.
            found[each.name] = TypeAdapter(each.annotation).validate_python(text.lower() if each.choices else text)
        except ValidationError:
            taken = f"the default {each.default!r} is taken"
            found[each.name] = each.default
            if each.name == "capture_text":  # who sets this variable does not want the default, which lets text out
                taken, found[each.name] = "False is taken, and no text is recorded", False
            _say_once(logging.ERROR, f"{each.variable}={environ[each.variable]!r:.200} is not {each.allowed}; {taken}")
    variables = [each.variable for each in SETTINGS.values()]
    for name in list(environ):
        # One letter less than the prefix: the S is the first to be forgotten.
        if name.upper().startswith(ENV_PREFIX[:-2]) and name not in variables:
            _say_once(logging.WARNING, f"{name!r:.200} is no setting{_suggestion(name.upper(), variables)}")
    return found


def _keep_text_in(found: dict[str, Any], environ: Mapping[str, str]) -> None:
    """Follow the switch that all GenAI instrumentations share, where our own variables are not stricter."""
    given = f"{CAPTURE_CONTENT_ENV}={environ.get(CAPTURE_CONTENT_ENV, '')!r:.200}"
    mode = environ.get(CAPTURE_CONTENT_ENV, "").strip().upper()
    if mode not in ("", "FALSE", "0", "TRUE", "1", "NO_CONTENT", "SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT"):
        _say_once(
            logging.WARNING,
            f"{given} is not one of NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT, true, false; "
            "langchain-logprobs takes it for NO_CONTENT, and no text is recorded",
        )
        mode = "NO_CONTENT"
    if mode == "NO_CONTENT":
        for name in ("capture_text", "capture_messages"):
            if found.get(name) is True:
                _say_once(logging.WARNING, f"{SETTINGS[name].variable} is not followed: {given} keeps all text in")
        found["capture_text"], found["capture_messages"] = False, False
    elif mode in ("SPAN_ONLY", "SPAN_AND_EVENT", "TRUE", "1"):
        found.setdefault("capture_messages", True)
    if found.get("capture_text") is False and found.get("capture_messages") is True:
        _say_once(
            logging.WARNING,
            f"{SETTINGS['capture_text'].variable} keeps all text in: prompts and answers are not recorded",
        )
        found["capture_messages"] = False


def _drop_disordered_levels(found: Mapping[str, Any], chosen: dict[str, Any]) -> None:
    """Take the defaults where the environment alone puts the medium level over the high one."""
    medium, high = (chosen.get(name, SETTINGS[name].default) for name in ("medium_confidence", "high_confidence"))
    if not (isinstance(medium, int | float) and isinstance(high, int | float)) or medium <= high:
        return
    for name in ("medium_confidence", "high_confidence"):
        if name in found:
            del chosen[name]
            _say_once(
                logging.ERROR,
                f"{SETTINGS[name].variable}={found[name]} is not taken, as medium_confidence would be {medium} and "
                f"high_confidence {high}, and it must be at most that; the default {SETTINGS[name].default} is taken",
            )


_said: set[str] = set()
_said_lock = threading.Lock()


def _say_once(level: int, text: str) -> None:
    # Handlers are made for every request in some services, as the quickstart shows it.
    with _said_lock:
        if text in _said:
            return
        _said.add(text)
    logger.log(level, "%s", text)
