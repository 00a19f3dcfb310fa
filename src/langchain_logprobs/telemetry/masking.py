"""What is shown of a field's path where text is not captured: the keys that the request's schema names.

A model can write any key (JSON mode, `additionalProperties`, a made-up tool), so the others are text.
"""

from __future__ import annotations

from langchain_logprobs.confidence.fields.json_pointer import join, split
from langchain_logprobs.confidence.fields.report import FieldReport
from langchain_logprobs.confidence.fields.schema import SchemaNode
from langchain_logprobs.confidence.inputs import Asked
from langchain_logprobs.confidence.report import ConfidenceReport
from langchain_logprobs.telemetry.attributes import MAX_STRING

HIDDEN = "*"


def known_paths(report: ConfidenceReport, asked: Asked) -> dict[str, str]:
    """Return what is shown of each path of a report, by the path as it would stand on the span."""
    shown: dict[str, str] = {}
    if report.tool_calls:
        schemas = asked.tool_schemas([{"name": call.name} for call in report.tool_calls])
        for call in report.tool_calls:
            known = call.name in schemas
            above = join(["tool_calls", call.index, call.name if known else HIDDEN])
            _add(shown, call.fields, SchemaNode.of(schemas.get(call.name)), call.path, above)
    elif report.fields is not None:
        _add(shown, report.fields, SchemaNode.of(asked.answer_schema()), "", "")
    return shown


def _add(shown: dict[str, str], fields: FieldReport, root: SchemaNode | None, prefix: str, above: str) -> None:
    arrays = {field.path for field in fields.fields if field.kind == "array"}
    for leaf in fields.leaves:
        node, path, masked = root, "", []
        for part in split(leaf.path):
            index = path in arrays
            masked.append(part if index or (node is not None and node.names(part)) else HIDDEN)
            node = node.child(int(part) if index else part) if node is not None else None
            path += join([part])
        shown[(prefix + leaf.path)[:MAX_STRING]] = above + join(masked)
