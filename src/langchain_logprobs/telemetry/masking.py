"""What is shown of a field's path where text is not captured: the keys that the request's schema names.

A model can write any key (JSON mode, `additionalProperties`, a made-up tool), so the others are text.
"""

from __future__ import annotations

from collections.abc import Iterator

from langchain_logprobs.confidence.fields.json_pointer import join
from langchain_logprobs.confidence.fields.schema import SchemaNode
from langchain_logprobs.confidence.inputs import Asked
from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.telemetry.attributes import MAX_STRING, least_certain

HIDDEN = "*"


def known_paths(report: ConfidenceReport, asked: Asked, limit: int) -> dict[str, str]:
    """Return what is shown of the paths of a report's least certain values, by the path as it would stand on the span.

    Args:
        report: The report.
        asked: What was asked for, the schemas among it.
        limit: How many values the span has (`Settings.max_fields`), and the least certain one.
    """
    schemas = asked.tool_schemas([{"name": call.name} for call in report.tool_calls]) if report.tool_calls else {}
    roots = {call.path: SchemaNode.of(schemas.get(call.name)) for call in report.tool_calls}
    shown_above = {
        call.path: join(["tool_calls", call.index, call.name if call.name in schemas else HIDDEN])
        for call in report.tool_calls
    }
    if report.fields is not None:
        roots[""], shown_above[""] = SchemaNode.of(asked.answer_schema()), ""
    leaves = [leaf for leaf in report.leaves() if leaf.field.token_count]
    return {
        leaf.path[:MAX_STRING]: shown_above[leaf.above] + join(_masked(leaf.field.keys, roots[leaf.above]))
        for leaf in least_certain(leaves, max(limit, 1))
    }


def _masked(keys: list[str | int], node: SchemaNode | None) -> Iterator[str | int]:
    for key in keys:
        yield key if isinstance(key, int) or (node is not None and node.names(key)) else HIDDEN
        node = node.child(key) if node is not None else None
