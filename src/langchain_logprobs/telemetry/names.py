"""The one place where a span attribute, event or metric is named; the documentation's tables are generated from it."""

from __future__ import annotations

from langchain_logprobs.telemetry.documented import DOCUMENTED as DOCUMENTED
from langchain_logprobs.telemetry.documented import TEXTS as TEXTS
from langchain_logprobs.telemetry.documented import again as _again
from langchain_logprobs.telemetry.documented import define as _define
from langchain_logprobs.telemetry.documented import document as document

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.0"
"""The version of the conventions that our `gen_ai.*` names are of. Since then they have a repository of their own."""

# OpenTelemetry's own names: general, and of the GenAI semantic conventions.
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_TOP_P = "gen_ai.request.top_p"
REQUEST_TOP_K = "gen_ai.request.top_k"
REQUEST_FREQUENCY_PENALTY = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY = "gen_ai.request.presence_penalty"
REQUEST_SEED = "gen_ai.request.seed"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_STOP_SEQUENCES = "gen_ai.request.stop_sequences"
REQUEST_CHOICE_COUNT = "gen_ai.request.choice.count"
CONVERSATION = "gen_ai.conversation.id"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
USAGE = "gen_ai.usage."
TOKEN_TYPE = "gen_ai.token.type"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
AGENT_NAME = "gen_ai.agent.name"
WORKFLOW_NAME = "gen_ai.workflow.name"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
# OpenInference's: Phoenix and others show nothing else of a span that is no model call.
SPAN_KIND = "openinference.span.kind"
INPUT_VALUE = "input.value"
OUTPUT_VALUE = "output.value"
TEXTS.update((INPUT_MESSAGES, OUTPUT_MESSAGES, INPUT_VALUE, OUTPUT_VALUE, REQUEST_STOP_SEQUENCES))

# On a model call's span.
_CALL = "model call"
STATUS = _define(
    "logprobs.status",
    "string",
    _CALL,
    "`recorded`, `partial` (the run ended early or some were lost), `missing` (asked for, none came), `not_requested`",
)
STATUS_REASON = _define("logprobs.status.reason", "string", _CALL, "why the status is not `recorded`, where known")
REQUESTED = _define(
    "logprobs.requested",
    "int",
    _CALL,
    "alternatives a token that we asked for ourselves (`request_logprobs`); absent where the code asked or nobody did",
)
SOURCE = _define("logprobs.source", "string", _CALL, "the wire format that was read, e.g. `openai.chat`")
TOKEN_COUNT = _define("logprobs.token.count", "int", _CALL, "scored tokens, of all choices")
CENSORED_COUNT = _define(
    "logprobs.token.censored_count", "int", _CALL, "tokens without an honest logprob: none, NaN, -inf or a sentinel"
)
OUTSIDE_COUNT = _define(
    "logprobs.token.outside_count",
    "int",
    _CALL,
    "tokens that are neither answer, tool call nor reasoning (end mark, stripped fences, echoed prompt): in no measure",
)
OUTSIDE_RANGES = _define(
    "logprobs.token.outside_ranges",
    "int[]",
    _CALL,
    "where they stand in the arrays: first, behind the last, first, ...",
)
TOOL_CALL_RANGES = _define(
    "logprobs.token.tool_call_ranges", "int[]", _CALL, "likewise, the tokens of tool calls, which the measures cover"
)
ALIGNMENT = _define(
    "logprobs.alignment",
    "string",
    _CALL,
    "how the tokens correspond to the text: `exact`, `substring`, `stripped`, `resynchronised`, `partial`, `failed`",
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
BASIS = _define(
    "logprobs.confidence.basis",
    "string",
    _CALL,
    "what the level is taken from: `answer`, the score, or `fields`, the least certain value of a structured answer",
)
MIN_PROBABILITY = _define(
    "logprobs.min.probability",
    "double",
    _CALL,
    "probability of the weakest token; of a censored one, the most it can be",
)
MIN_CENSORED = _define(
    "logprobs.min.censored",
    "boolean",
    _CALL,
    "true where the weakest token has no honest logprob: weaker than any other",
)
MIN_TOKEN = _define("logprobs.min.token", "string", _CALL, "its text", text=True)
MIN_INDEX = _define("logprobs.min.index", "int", _CALL, "its index in the arrays, where it is in choice 0")
LOW_RATIO = _define("logprobs.low_confidence.ratio", "double", _CALL, "share of the scored tokens under the threshold")
LOW_COUNT = _define("logprobs.low_confidence.count", "int", _CALL, "scored tokens under the threshold")
STRETCH_COUNT = _define(
    "logprobs.low_confidence.stretch_count", "int", _CALL, "low-confidence stretches, of all choices"
)
DETECTED = _define(
    "logprobs.low_confidence.detected",
    "boolean",
    _CALL,
    "whether there is a low-confidence stretch or a censored token, for search",
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
TOKENS = _define("logprobs.tokens", "string[]", _CALL, "every token of choice 0", text=True)
VALUES = _define("logprobs.values", "double[]", _CALL, "its logprob, in nats, at the same index")
TOKENS_RECORDED = _define(
    "logprobs.tokens.recorded", "int", _CALL, "how many tokens the arrays hold, where the byte budget cut them"
)
ALTERNATIVE_POSITIONS = _define(
    "logprobs.alternatives.positions", "int[]", _CALL, "index of the token that each alternative stands for"
)
ALTERNATIVE_TOKENS = _define(
    "logprobs.alternatives.tokens", "string[]", _CALL, "the alternative, at the same index", text=True
)
ALTERNATIVE_VALUES = _define("logprobs.alternatives.values", "double[]", _CALL, "its logprob, in nats")
REASONING_COUNT = _define(
    "logprobs.reasoning.token.count", "int", _CALL, "scored tokens of the reasoning, which no other measure covers"
)
REASONING_RANGES = _define(
    "logprobs.reasoning.ranges",
    "int[]",
    _CALL,
    "where they stand in the arrays, if they do: first, behind the last, ...",
)
REASONING_CONFIDENCE = _define("logprobs.reasoning.score", "double", _CALL, "exp(mean) of the reasoning")
REASONING_MEAN = _define("logprobs.reasoning.mean", "double", _CALL, "mean logprob of the reasoning text, in nats")
FIELD_PATHS = _define("logprobs.fields.paths", "string[]", _CALL, "JSON Pointer of each value of a structured answer")
FIELD_CONFIDENCES = _define(
    "logprobs.fields.confidences", "double[]", _CALL, "probability of this very value, at the same index; see the docs"
)
FIELD_CENSORED = _define(
    "logprobs.fields.censored",
    "int[]",
    _CALL,
    "indexes of the values with a censored token: their confidence is the most it can be, 1 where nothing bounds it",
)
FIELD_MIN_CONFIDENCE = _define(
    "logprobs.fields.min_confidence", "double", _CALL, "the least of these confidences, for search"
)
FIELD_MIN_PATH = _define("logprobs.fields.min_path", "string", _CALL, "the path of that value")
FIELD_MIN_PROBABILITIES = _define(
    "logprobs.fields.min_probabilities", "double[]", _CALL, "probability of its weakest token"
)
FIELD_MIN_INDEXES = _define(
    "logprobs.fields.min_indexes", "int[]", _CALL, "index of its weakest token in the span's arrays"
)
FIELD_RUNNERS_UP = _define(
    "logprobs.fields.runners_up",
    "string[]",
    _CALL,
    "the most probable other value, as JSON, also where it was the more probable one; empty where unknown",
    text=True,
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

ANSWER = _define(
    "logprobs.answer",
    "string",
    _CALL,
    "the answer with its unsure places spelled out: `finished in [1935 .41, nearly 1936 .38] and is`",
    text=True,
)
CHUNK_STARTS = _define(
    "logprobs.chunk.starts",
    "int[]",
    _CALL,
    "index of the first token that each chunk brought; absent where it is 0, 1, 2, ...",
)
CHUNK_OFFSETS = _define(
    "logprobs.chunk.offsets_us",
    "int[]",
    _CALL,
    "its arrival after the span's start, in microseconds, at the same index",
)
TIME_TO_FIRST_TOKEN = _define(
    "logprobs.time_to_first_token", "double", _CALL, "seconds until the first chunk that brought a token"
)
PAGE = _define("logprobs.page", "string", _CALL, "a link to the heat map of this span, with `Settings.page_url`")
CACHED = _define("logprobs.cached", "boolean", _CALL, "true where LangChain took the answer from its cache")
LEFT_OUT = _define(
    "logprobs.left_out",
    "string[]",
    _CALL,
    "attributes and events that are cut or missing because `span_bytes` has no room for them; absent where none is",
)

# On the spans above a model call.
_ANCESTOR = "ancestor"
CALL_COUNT = _define(
    "logprobs.llm_call.count",
    "int",
    _ANCESTOR,
    "model calls below this span whose answers were used, with and without logprobs",
)
DISCARDED_COUNT = _define(
    "logprobs.discarded.llm_call.count",
    "int",
    _ANCESTOR,
    "model calls of steps that failed and were replaced (retry, fallback): in no number here",
)
MIN_SPAN_ID = _define("logprobs.min.span_id", "string", _ANCESTOR, "span id (hex) of the call with the weakest token")
WORST_SPAN_ID = _define("logprobs.worst.span_id", "string", _ANCESTOR, "span id (hex) of the call that made the level")
WORST_CONFIDENCE = _define(
    "logprobs.worst.confidence",
    "double",
    _ANCESTOR,
    "the number behind that call's level: its score or its least field",
)
ACTION = _define(
    "logprobs.action",
    "string",
    _ANCESTOR,
    "what was last done about an unsure answer below: `interrupt`, `retry`, `escalate`, `call`, `accept` (passed on "
    "though unsure), `route`; what a person decided: `approve`, `edit`, `reject`; without logprobs: `allow`, `raise`",
)
_again(
    _ANCESTOR,
    {
        TOKEN_COUNT: "scored tokens of the calls below; those of cached answers are not counted again",
        MEAN: "mean token logprob over the calls below, in nats",
        CONFIDENCE: "exp(mean)",
        LEVEL: "the worst level of a call below",
        BASIS: "what that level is taken from",
        DETECTED: "whether any call below has it",
        MIN_PROBABILITY: "probability of the weakest token of the calls below",
        PAGE: "a link to the heat map of the trace at this span, with `Settings.page_url`",
        MIN_CENSORED: "true where it has no honest logprob",
        MIN_TOKEN: "its text",
        FIELD_MIN_CONFIDENCE: "the confidence of the least certain value of the calls below",
        FIELD_MIN_PATH: "its path",
    },
)

# Events.
CHUNK_EVENT = "logprobs.chunk"
LOW_CONFIDENCE_EVENT = "logprobs.low_confidence"
CHOICE_EVENT = "logprobs.choice"
EVALUATION_EVENT = "gen_ai.evaluation.result"
CHUNK_INDEX = _define("logprobs.chunk.index", "int", CHUNK_EVENT, "index of the (first) chunk among those with tokens")
TOKEN_START = _define("logprobs.token.start", "int", CHUNK_EVENT, "index of its first token in the span's arrays")
_again(
    CHUNK_EVENT,
    {
        TOKEN_COUNT: "how many tokens it brought",
        TOKENS: "those tokens, while the span stays small",
        VALUES: "their logprobs, in nats, while the span stays small",
    },
)
ABOUT = _define(
    "logprobs.about", "string", LOW_CONFIDENCE_EVENT, "the event in a line: `“1935” .41, nearly 1936 .38`", text=True
)
TEXT = _define("logprobs.text", "string", LOW_CONFIDENCE_EVENT, "the stretch", text=True)
TEXT_START = _define("logprobs.text.start", "int", LOW_CONFIDENCE_EVENT, "its start in the answer, in code points")
TEXT_END = _define("logprobs.text.end", "int", LOW_CONFIDENCE_EVENT, "its end in the answer, in code points")
SEVERITY = _define("logprobs.severity", "string", LOW_CONFIDENCE_EVENT, "how low its weakest token is")
_again(
    LOW_CONFIDENCE_EVENT,
    {
        TOKEN_START: "index of its first token in the span's arrays",
        TOKEN_COUNT: "how many tokens it has",
        MIN_PROBABILITY: "probability of its weakest token",
        MEAN: "mean logprob of its tokens, in nats",
        ALTERNATIVE_TOKENS: "what could have stood at its weakest token",
        ALTERNATIVE_VALUES: "their logprobs, in nats",
    },
)
CHOICE_INDEX = _define("logprobs.choice.index", "int", CHOICE_EVENT, "index of the choice, from 0")
_again(
    CHOICE_EVENT,
    {
        TOKEN_COUNT: "scored tokens of this choice",
        CENSORED_COUNT: "its tokens without an honest logprob",
        MEAN: "its mean token logprob, in nats",
        SUM: "the sum of its token logprobs, in nats",
        PERPLEXITY: "exp(-mean)",
        CONFIDENCE: "exp(mean)",
        MIN_PROBABILITY: "probability of its weakest scored token",
        MIN_TOKEN: "its text",
        MIN_INDEX: "its index in the tokens of this choice",
    },
)
EVALUATION_NAME = _define("gen_ai.evaluation.name", "string", EVALUATION_EVENT, "`token_confidence`")
EVALUATION_SCORE = _define(
    "gen_ai.evaluation.score.value", "double", EVALUATION_EVENT, "the number that the level was taken from"
)
EVALUATION_LABEL = _define("gen_ai.evaluation.score.label", "string", EVALUATION_EVENT, "the level")
EVALUATION_EXPLANATION = _define(
    "gen_ai.evaluation.explanation", "string", EVALUATION_EVENT, "the unsure places, in a line", text=True
)

ACTION_EVENT = "logprobs.action"
ACTION_COUNT = _define(
    "logprobs.action.count", "int", ACTION_EVENT, "how many values, or the answer as a whole, were unsure"
)
ACTION_CONFIDENCE = _define(
    "logprobs.action.confidence", "double", ACTION_EVENT, "the least of their confidences, where one is known"
)
_again(
    ACTION_EVENT,
    {
        ACTION: "what was done, or decided",
        ABOUT: 'what was unsure and what the model nearly said: `/to "Bob" .41, nearly "Rob" .38`',
    },
)

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
METRIC_DURATION = _define(
    "gen_ai.client.operation.duration", "histogram, s", _METRIC, "how long each model call took, failed ones too"
)
METRIC_USAGE = _define(
    "gen_ai.client.token.usage", "histogram, {token}", _METRIC, "tokens of each call, by `gen_ai.token.type`"
)
METRIC_FIRST_CHUNK = _define(
    "gen_ai.client.operation.time_to_first_chunk", "histogram, s", _METRIC, "of each streamed call"
)
