"""What a comparison of two sources says: `Comparison`, and of each number that is compared: `Difference`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One number of two sources side by side.

    Attributes:
        path: JSON Pointer of the value whose confidence it is, `*` for any index of an array; "" for the score of the
            answers as a whole.
        count_a: How many inputs of A (where nothing pairs, model calls) have the number; of pairs, those where both
            sides have it.
        count_b: As `count_a`, of B.
        unknown_a: How many have the value and no number: no logprobs came, or a token is censored. They are in no mean.
        unknown_b: As `unknown_a`, of B.
        mean_a: The mean in A; None where nothing is counted.
        mean_b: The mean in B.
        difference: Mean of B minus A, over the pairs where there are pairs.
        low: Lower end of its interval; None where there are too few for one.
        high: Upper end.
        same: Of pairs, the share with the same value on both sides; None where the values were not recorded.
        distance: Where nothing pairs, the largest distance between the two cumulative shares (Kolmogorov and Smirnov).
        p_value: The probability of such a distance if nothing had changed, corrected for the number of rows (Benjamini
            and Hochberg).
    """

    path: str
    count_a: int
    count_b: int
    unknown_a: int
    unknown_b: int
    mean_a: float | None
    mean_b: float | None
    difference: float | None
    low: float | None = None
    high: float | None = None
    same: float | None = None
    distance: float | None = None
    p_value: float | None = None

    @property
    def changed(self) -> bool | None:
        """Whether the interval leaves out 0; None where there is none."""
        return None if self.low is None or self.high is None else not self.low <= 0.0 <= self.high


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Comparison:
    """Two sources of traces side by side.

    Attributes:
        a: What A is called.
        b: What B is called.
        paired_by: By what the inputs pair: `gen_ai.input.messages`, `last user message`, or an attribute; None where
            they do not pair, and A and B are compared as two crowds.
        pairs: How many inputs are on both sides.
        only_a: How many inputs are on the side of A alone; they are in no number. 0 where nothing pairs.
        only_b: As `only_a`, of B.
        calls_a: Model calls of A.
        calls_b: Model calls of B.
        levels_a: How many model calls of A have each level; `unknown` without one.
        levels_b: As `levels_a`, of B.
        confidence: How sure it is that all intervals of `differences` hold at once.
        differences: The compared numbers: the score first, then each value in the order in which it came.
    """

    a: str
    b: str
    paired_by: str | None
    pairs: int
    only_a: int
    only_b: int
    calls_a: int
    calls_b: int
    levels_a: dict[str, int]
    levels_b: dict[str, int]
    confidence: float
    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values that `json.dumps` takes; what is not known is None."""
        rows = [{**asdict(each), "changed": each.changed} for each in self.differences]
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**plain, "differences": rows}

    def __repr__(self) -> str:
        """Show what is compared."""
        how = f"paired by {self.paired_by}" if self.paired_by else "not paired"
        return f"<Comparison of {self.a} and {self.b}, {how}, {len(self.differences)} numbers>"

    def _repr_html_(self) -> str:
        """Show it in a notebook."""
        from langchain_logprobs.tables.display import comparison_html

        return comparison_html(self)

    def __rich__(self) -> RenderableType:
        """Show it in rich's console."""
        from langchain_logprobs.tables.display import comparison_rich

        return comparison_rich(self)
