"""Agreement of the parsed values of several answers."""

from __future__ import annotations

import pytest

from langchain_logprobs.confidence.fields.agreement import agreement


@pytest.mark.parametrize(
    ("texts", "shares"),
    [
        ([], {}),
        (['{"a": 1}'], {}),  # one answer agrees with nobody
        (['{"a": 1}', '{"a": 1}', '{"a": 2}', '{"a": 1}'], {"/a": 0.75}),
        (['{"a": 1, "b": "x"}', ' {"b":"x",\n"a":1.0}'], {"/a": 1.0, "/b": 1.0}),  # spelled otherwise, the same value
        (['{"a": 1}', '{"a": true}'], {"/a": 0.5}),  # Python's 1 == True is not JSON's
        (['{"a": null}', "{}"], {"/a": 0.5}),  # a value that is missing is not null
        (['{"a": "1"}', '{"a": 1}'], {"/a": 0.5}),
        (['{"a": "x"}', "I cannot say."], {"/a": 0.5}),
        (['{"a": "x"}', '{"a": "x'], {"/a": 0.5}),  # cut off: it could have become anything
        (['```json\n{"a": [1, 2]}\n```', '{"a": [1, 3]}'], {"/a/0": 1.0, "/a/1": 0.5}),
        (['{"a": 1, "a": 2}', '{"a": 2}'], {"/a": 1.0}),  # the later one counts, as for parsers
        (['{"é": "日本"}', '{"\\u00e9": "\\u65e5\\u672c"}'], {"/é": 1.0}),
        ([" positive\n", "positive", "Positive"], {"": 2 / 3}),
        (['<think>{"a": 9}</think>{"a": 1}', '{"a": 1}'], {"/a": 1.0}),
        (['{"a": 1e400}', '{"a": 1e400}'], {"/a": 1.0}),
        (["{}", "{}"], {}),
    ],
)
def test_shares(texts: list[str], shares: dict[str, float]) -> None:
    assert agreement(texts) == shares
