"""The columns of each table: their names, their types and what they mean."""

from __future__ import annotations

from typing import Literal, NamedTuple

from langchain_logprobs.telemetry import names

Kind = Literal["text", "number", "integer", "flag"]
Of = Literal["calls", "fields", "stretches"]


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        name: Its name.
        kind: `text`, `number`, `integer` or `flag` (true or false). A cell of any kind can be empty.
        doc: What it means, in a line.
        attribute: The span attribute that it repeats, if it is one.
    """

    name: str
    kind: Kind
    doc: str
    attribute: str | None = None


_TRACE = (
    Column("trace_id", "text", "the trace (hex)"),
    Column("span_id", "text", "the model call's span (hex)"),
)
_CALL = (
    *_TRACE,
    Column("start", "text", "when the call started, in UTC"),
    Column("model", "text", "the model that answered; where it did not say, the one that was asked for"),
)

CALLS = (
    *_TRACE,
    Column("parent_id", "text", "the span above it"),
    Column("step", "text", "the name of that span, where it is in the source"),
    Column("name", "text", "the span's name"),
    Column("start", "text", "when it started, in UTC"),
    Column("seconds", "number", "how long it took"),
    Column("model", "text", "the model that answered; where it did not say, the one that was asked for"),
    Column("provider", "text", "who serves it", names.PROVIDER),
    Column("conversation", "text", "the conversation, from the call or a span above it"),
    Column("finish", "text", "why the answers ended"),
    Column("error", "text", "what went wrong; `error` where the span does not say"),
    Column("status", "text", "what became of the logprobs", names.STATUS),
    Column("reason", "text", "why they are not `recorded`", names.STATUS_REASON),
    Column("alignment", "text", "how the tokens correspond to the text", names.ALIGNMENT),
    Column("cached", "flag", "whether the answer came from LangChain's cache", names.CACHED),
    Column("level", "text", "`high`, `medium` or `low`", names.LEVEL),
    Column("basis", "text", "what the level is taken from", names.BASIS),
    Column("certainty", "number", "the number behind the level: the score, or that of the least certain value"),
    Column("score", "number", "exp(mean logprob)", names.CONFIDENCE),
    Column("mean", "number", "mean token logprob, in nats", names.MEAN),
    Column("perplexity", "number", "exp(-mean)", names.PERPLEXITY),
    Column("tokens", "integer", "scored tokens, of all choices", names.TOKEN_COUNT),
    Column("censored", "integer", "tokens without an honest logprob", names.CENSORED_COUNT),
    Column("min_probability", "number", "probability of the weakest token", names.MIN_PROBABILITY),
    Column("min_censored", "flag", "whether that is only the most it can be", names.MIN_CENSORED),
    Column("min_token", "text", "its text", names.MIN_TOKEN),
    Column("low_ratio", "number", "share of the tokens under the threshold", names.LOW_RATIO),
    Column("stretches", "integer", "low-confidence stretches", names.STRETCH_COUNT),
    Column("detected", "flag", "whether there is one, or a censored token", names.DETECTED),
    Column("entropy_mean", "number", "mean truncated entropy, in nats", names.ENTROPY_MEAN),
    Column("margin_mean", "number", "mean lead over the second token", names.MARGIN_MEAN),
    Column("reasoning_score", "number", "exp(mean logprob) of the reasoning", names.REASONING_CONFIDENCE),
    Column("fields", "integer", "values in the structured answer", names.FIELD_COUNT),
    Column("fields_status", "text", "what became of the search for them", names.FIELD_STATUS),
    Column("least_field", "text", "the least certain value", names.FIELD_MIN_PATH),
    Column("least_confidence", "number", "its confidence", names.FIELD_MIN_CONFIDENCE),
    Column("choices", "integer", "answers to the request, where there are several"),
    Column("agreement", "number", "share of them with the first one's value, of the value where that is least"),
    Column("input_tokens", "integer", "as the provider counts", names.USAGE + "input_tokens"),
    Column("output_tokens", "integer", "as the provider counts", names.USAGE + "output_tokens"),
    Column("question", "text", "the last message of the user, where prompts were recorded"),
    Column("answer", "text", "the first answer, where text was recorded"),
)

FIELDS = (
    *_CALL,
    Column("path", "text", "JSON Pointer of the value"),
    Column("kind", "text", "`string`, `number`, `boolean` or `null`; empty where the text does not show the value"),
    Column("value", "text", "the value, a string without its quotes"),
    Column("confidence", "number", "the probability of this very value; empty where a token of it has none"),
    Column("at_most", "number", "what the confidence can be at most, where a token of it has none"),
    Column("min_probability", "number", "probability of its weakest token"),
    Column("weakest", "text", "that token"),
    Column("nearly", "text", "the most probable other value, as JSON"),
    Column("nearly_probability", "number", "its probability"),
    Column("choices", "integer", "answers to the request, where there are several"),
    Column("agreement", "number", "share of them that have this value here"),
)

STRETCHES = (
    *_CALL,
    Column("text", "text", "the stretch", names.TEXT),
    Column("severity", "text", "how low its weakest token is", names.SEVERITY),
    Column("text_start", "integer", "its start in the answer, in code points", names.TEXT_START),
    Column("text_end", "integer", "its end", names.TEXT_END),
    Column("token_start", "integer", "index of its first token", names.TOKEN_START),
    Column("tokens", "integer", "how many tokens it has", names.TOKEN_COUNT),
    Column("min_probability", "number", "probability of its weakest token", names.MIN_PROBABILITY),
    Column("mean", "number", "mean logprob of its tokens, in nats", names.MEAN),
    Column("nearly", "text", "the most probable other token at its weakest one"),
    Column("nearly_probability", "number", "its probability"),
)

COLUMNS: dict[str, tuple[Column, ...]] = {"calls": CALLS, "fields": FIELDS, "stretches": STRETCHES}
"""The columns of each table, by its name."""


def document(of: str) -> str:
    """Return the Markdown table of a table's columns."""
    rows = [
        f"| `{each.name}` | {each.kind} | {each.doc}{f' (`{each.attribute}`)' if each.attribute else ''} |"
        for each in COLUMNS[of]
    ]
    return "\n".join(["| column | type | meaning |", "| --- | --- | --- |", *rows])
