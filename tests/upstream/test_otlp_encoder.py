"""The change that is prepared for OpenTelemetry's encoder fits the installed version, and the bytes stay the same."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common import _internal

from tests.upstream.scripts import script

BENCHMARK = script("otlp-encoder/benchmark.py")


@pytest.fixture(scope="module")
def patched() -> Any:
    try:
        return BENCHMARK.patched()
    except LookupError:  # the oldest version is spelled otherwise, and one that has the change has it already
        pytest.skip("the patch does not fit the installed version")


class Kind(enum.IntEnum):
    ONE = 1


items = st.one_of(
    st.floats(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(), st.none(),
)  # fmt: skip


@given(value=st.recursive(items, lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner)))
def test_the_bytes_are_the_same(value: Any, patched: Any) -> None:
    assert patched._encode_value(value).SerializeToString() == _internal._encode_value(value).SerializeToString()


@pytest.mark.parametrize("value", [*BENCHMARK.VALUES.values(), [Kind.ONE, Kind.ONE], [Kind.ONE, 1], [float("nan")]])
def test_so_they_are_for_special_ones(value: Any, patched: Any) -> None:
    assert patched._encode_value(value).SerializeToString() == _internal._encode_value(value).SerializeToString()


@pytest.mark.parametrize("value", [[2**70, 1], ["\ud800"], [object()]])
def test_what_is_refused_is_refused_still(value: Any, patched: Any) -> None:
    with pytest.raises(Exception) as before:
        _internal._encode_value(value)
    with pytest.raises(type(before.value)):
        patched._encode_value(value)
