"""The one place where an attribute, event or metric is named; the documentation's tables are generated from it."""

from __future__ import annotations

from typing import NamedTuple


class Name(NamedTuple):
    """One documented name.

    Attributes:
        name: As it appears in a trace.
        type: Type of its value, `[]` for an array.
        group: Where it stands: "model call", "ancestor", an event, "metric".
        doc: What it means, in one line.
    """

    name: str
    type: str
    group: str
    doc: str


DOCUMENTED: list[Name] = []


def _define(name: str, kind: str, group: str, doc: str) -> str:
    DOCUMENTED.append(Name(name, kind, group, doc))
    return name


# On a model call's span.
_CALL = "model call"
STATUS = _define(
    "logprobs.status",
    "string",
    _CALL,
    "`recorded`, `partial` (the run ended early or some were lost), `missing` (asked for, none came), `not_requested`",
)
STATUS_REASON = _define("logprobs.status.reason", "string", _CALL, "why the status is not `recorded`, where known")
SOURCE = _define("logprobs.source", "string", _CALL, "the wire format that was read, e.g. `openai.chat`")
TOKEN_COUNT = _define("logprobs.token.count", "int", _CALL, "scored tokens, of all choices")
CENSORED_COUNT = _define(
    "logprobs.token.censored_count", "int", _CALL, "tokens without an honest logprob: none, NaN, -inf or a sentinel"
)
OUTSIDE_COUNT = _define(
    "logprobs.token.outside_count",
    "int",
    _CALL,
    "tokens outside the answer's text (end mark, stripped fences, reasoning): in the arrays, in no measure",
)
CENSORED_POSITIONS = _define(
    "logprobs.token.censored_positions", "int[]", _CALL, "where they stand in the arrays, if there are any"
)
MEAN = _define("logprobs.mean", "double", _CALL, "mean token logprob, in nats")
SUM = _define("logprobs.sum", "double", _CALL, "sum of the token logprobs, in nats")
PERPLEXITY = _define("logprobs.perplexity", "double", _CALL, "exp(-mean)")
CONFIDENCE = _define(
    "logprobs.confidence.score", "double", _CALL, "exp(mean), in (0, 1]: the length-normalised probability"
)
LEVEL = _define(
    "logprobs.confidence.level", "string", _CALL, "`high`, `medium` or `low`, for search; the thresholds are settings"
)
MIN_PROBABILITY = _define("logprobs.min.probability", "double", _CALL, "probability of the weakest token")
MIN_TOKEN = _define("logprobs.min.token", "string", _CALL, "its text")
MIN_INDEX = _define("logprobs.min.index", "int", _CALL, "its index in the arrays, where it is in choice 0")
LOW_RATIO = _define("logprobs.low_confidence.ratio", "double", _CALL, "share of the scored tokens under the threshold")
LOW_COUNT = _define("logprobs.low_confidence.count", "int", _CALL, "scored tokens under the threshold")
STRETCH_COUNT = _define("logprobs.low_confidence.stretch_count", "int", _CALL, "low-confidence stretches of choice 0")
DETECTED = _define(
    "logprobs.low_confidence.detected", "boolean", _CALL, "whether any token was under the threshold, for search"
)
ENTROPY_MEAN = _define("logprobs.entropy.mean", "double", _CALL, "mean truncated token entropy, in nats")
ENTROPY_MAX = _define("logprobs.entropy.max", "double", _CALL, "largest truncated token entropy, in nats")
ENTROPY_TOP_K = _define("logprobs.entropy.top_k", "int", _CALL, "alternatives a position that the entropy is over")
COVERED_MASS = _define(
    "logprobs.entropy.covered_mass", "double", _CALL, "mean probability that those alternatives hold together"
)
MARGIN_MEAN = _define("logprobs.margin.mean", "double", _CALL, "mean of p1 - p2, the two most likely tokens")
OFF_TOP1_RATIO = _define(
    "logprobs.off_top1.ratio", "double", _CALL, "share of the tokens that were not the most likely one"
)
TOKENS = _define("logprobs.tokens", "string[]", _CALL, "every token of choice 0")
VALUES = _define("logprobs.values", "double[]", _CALL, "its logprob, in nats, at the same index")
TOKENS_RECORDED = _define(
    "logprobs.tokens.recorded", "int", _CALL, "how many tokens the arrays hold, where the byte budget cut them"
)
ALTERNATIVE_POSITIONS = _define(
    "logprobs.alternatives.positions", "int[]", _CALL, "index of the token that each alternative stands for"
)
ALTERNATIVE_TOKENS = _define("logprobs.alternatives.tokens", "string[]", _CALL, "the alternative, at the same index")
ALTERNATIVE_VALUES = _define("logprobs.alternatives.values", "double[]", _CALL, "its logprob, in nats")
REASONING_COUNT = _define(
    "logprobs.reasoning.token.count", "int", _CALL, "scored tokens of a reasoning text that is kept apart"
)
REASONING_MEAN = _define("logprobs.reasoning.mean", "double", _CALL, "mean logprob of the reasoning text, in nats")
FIELD_PATHS = _define("logprobs.fields.paths", "string[]", _CALL, "JSON Pointer of each value of a structured answer")
FIELD_CONFIDENCES = _define("logprobs.fields.confidences", "double[]", _CALL, "its confidence, at the same index")
FIELD_MIN_PROBABILITIES = _define(
    "logprobs.fields.min_probabilities", "double[]", _CALL, "probability of its weakest token"
)
FIELD_MIN_INDEXES = _define(
    "logprobs.fields.min_indexes", "int[]", _CALL, "index of its weakest token in the span's arrays"
)
FIELD_RUNNERS_UP = _define(
    "logprobs.fields.runners_up", "string[]", _CALL, "the allowed value that came second; empty where unknown"
)
FIELD_RUNNER_UP_PROBABILITIES = _define(
    "logprobs.fields.runner_up_probabilities", "double[]", _CALL, "its probability; 0 where unknown"
)
FIELD_STATUS = _define(
    "logprobs.fields.status", "string", _CALL, "`ok`, `truncated`, `no_json`, `invalid`, or `failed` (no safe mapping)"
)
FIELD_COUNT = _define(
    "logprobs.fields.count", "int", _CALL, "values in the document; over the setting, the arrays hold the least certain"
)

# On the spans above a model call.
_ANCESTOR = "ancestor"
CALL_COUNT = _define(
    "logprobs.llm_call.count", "int", _ANCESTOR, "model calls below this span, with and without logprobs"
)
MIN_SPAN_ID = _define("logprobs.min.span_id", "string", _ANCESTOR, "span id (hex) of the call with the weakest token")
for _name in (TOKEN_COUNT, MEAN, CONFIDENCE, LEVEL, DETECTED, MIN_PROBABILITY, MIN_TOKEN):
    _known = next(item for item in DOCUMENTED if item.name == _name)
    _define(_name, _known.type, _ANCESTOR, "over the calls below: " + ("the worst" if _name == LEVEL else _known.doc))

# Events.
CHUNK_EVENT = "logprobs.chunk"
LOW_CONFIDENCE_EVENT = "logprobs.low_confidence"
CHOICE_EVENT = "logprobs.choice"
CHUNK_INDEX = _define("logprobs.chunk.index", "int", CHUNK_EVENT, "index of the (first) chunk among those with tokens")
TOKEN_START = _define("logprobs.token.start", "int", CHUNK_EVENT, "index of its first token in the span's arrays")
_define(TOKEN_COUNT, "int", CHUNK_EVENT, "how many tokens it brought")
_define(TOKENS, "string[]", CHUNK_EVENT, "those tokens, while the span stays small")
_define(VALUES, "double[]", CHUNK_EVENT, "their logprobs, in nats, while the span stays small")
TEXT = _define("logprobs.text", "string", LOW_CONFIDENCE_EVENT, "the stretch")
TEXT_START = _define("logprobs.text.start", "int", LOW_CONFIDENCE_EVENT, "its start in the answer, in code points")
TEXT_END = _define("logprobs.text.end", "int", LOW_CONFIDENCE_EVENT, "its end in the answer, in code points")
_define(TOKEN_START, "int", LOW_CONFIDENCE_EVENT, "index of its first token in the span's arrays")
_define(TOKEN_COUNT, "int", LOW_CONFIDENCE_EVENT, "how many tokens it has")
SEVERITY = _define("logprobs.severity", "string", LOW_CONFIDENCE_EVENT, "how low its weakest token is")
_define(MIN_PROBABILITY, "double", LOW_CONFIDENCE_EVENT, "probability of its weakest token")
_define(MEAN, "double", LOW_CONFIDENCE_EVENT, "mean logprob of its tokens, in nats")
_define(ALTERNATIVE_TOKENS, "string[]", LOW_CONFIDENCE_EVENT, "what could have stood at its weakest token")
_define(ALTERNATIVE_VALUES, "double[]", LOW_CONFIDENCE_EVENT, "their logprobs, in nats")
CHOICE_INDEX = _define("logprobs.choice.index", "int", CHOICE_EVENT, "index of the choice, from 0")
for _name in (TOKEN_COUNT, CENSORED_COUNT, MEAN, SUM, PERPLEXITY, CONFIDENCE, MIN_PROBABILITY, MIN_TOKEN, MIN_INDEX):
    _known = next(item for item in DOCUMENTED if item.name == _name)
    _define(_name, _known.type, CHOICE_EVENT, "of this choice: " + _known.doc)

# Metrics.
_METRIC = "metric"
METRIC_CONFIDENCE = _define(
    "logprobs.generation.confidence", "histogram, 1", _METRIC, "exp(mean logprob) of each model call"
)
METRIC_MIN_PROBABILITY = _define(
    "logprobs.generation.min_probability", "histogram, 1", _METRIC, "probability of each call's weakest token"
)
METRIC_TOKENS = _define("logprobs.tokens", "counter, {token}", _METRIC, "scored tokens")
METRIC_LOW_TOKENS = _define(
    "logprobs.low_confidence.tokens", "counter, {token}", _METRIC, "scored tokens under the threshold"
)
METRIC_GENERATIONS = _define(
    "logprobs.generations", "counter, {generation}", _METRIC, "model calls, by `logprobs.status` and level"
)


def document(group: str) -> str:
    """Return the Markdown table of one group of names."""
    rows = [f"| `{item.name}` | {item.type} | {item.doc} |" for item in DOCUMENTED if item.group == group]
    return "\n".join(["| name | type | meaning |", "| --- | --- | --- |", *rows])
