"""Lists of tokens for the tests of alignment, stretches and fields."""

from typing import Any

from langchain_logprobs.confidence.fields.report import FieldReport
from langchain_logprobs.formats.tokens import Alternative, TokenLogprob

VECTOR_C = [
    ['{"', -0.0001, [['{"', -0.0001], ["{\n", -9.5], ["{", -10.2]]],
    ["label", -0.001, [["label", -0.001], ["lab", -8.0], ["sent", -9.0]]],
    ['":"', -0.002, [['":"', -0.002], ['":', -6.5], ['"', -9.1]]],
    ["pos", -0.35, [["pos", -0.35], ["neut", -1.6], ["neg", -2.4]]],
    ["itive", -0.0002, [["itive", -0.0002], ["itivo", -9.0], ["itives", -10.0]]],
    ['","', -0.003, [['","', -0.003], ['"', -6.0], ['"}', -8.0]]],
    ["score", -0.0004, [["score", -0.0004], ["tags", -8.2], ["scor", -9.9]]],
    ['":', -0.0003, [['":', -0.0003], ['":"', -8.4], ['"', -9.7]]],
    ["4", -0.8, [["4", -0.8], ["5", -1.0], ["3", -1.9]]],
    [".", -0.6, [[".", -0.6], [',"', -0.9], ["}", -3.5]]],
    ["5", -0.25, [["5", -0.25], ["7", -2.0], ["8", -2.9]]],
    [',"', -0.01, [[',"', -0.01], ["}", -4.8], ["0", -6.6]]],
    ["ok", -0.0005, [["ok", -0.0005], ["o", -8.8], ["OK", -9.3]]],
    ['":', -0.0002, [['":', -0.0002], ['":"', -9.0], ['"', -9.9]]],
    ["true", -0.15, [["true", -0.15], ["false", -2.0], ["null", -6.0]]],
    ["}", -0.02, [["}", -0.02], ["}\n", -4.2], [",", -6.1]]],
]


def tokens_of(*entries: Any) -> list[TokenLogprob]:
    """Tokens from (text, logprob), (text, logprob, alternatives) or (text, logprob, alternatives, bytes)."""
    tokens = []
    for entry in entries:
        text, logprob, *more = entry
        alternatives = tuple(Alternative(*alternative) for alternative in more[0]) if more else ()
        tokens.append(TokenLogprob(text, logprob, more[1] if len(more) > 1 else None, alternatives))
    return tokens


def joints(report: FieldReport) -> dict[str, float | None]:
    return {field.path: field.joint_logprob for field in report.leaves}
