"""The two pictures of a group, side by side, as one SVG: is the number what it says, and what does accepting cost?"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from langchain_logprobs.calibration.figures import Bools, Floats, equal_bins, interval
from langchain_logprobs.calibration.fit import GroupReport

_RAW, _MAPPED, _LIMIT, _DIM = "#b35806", "#0a58b5", "#1b1f24", "#6b7680"
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "langchain-logprobs",  # the same figures always give the same bytes
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _DIM,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "legend.frameon": False,
}


def picture(group: GroupReport, error: float) -> str:
    """Draw the reliability diagram and the risk-coverage curve.

    Args:
        group: The figures of the group.
        error: The promised share of wrong ones.

    Returns:
        An SVG document that needs no font of the reader's.
    """
    with rc_context(_STYLE):
        figure = Figure(figsize=(9.2, 3.9), layout="constrained")
        left, right = figure.subplots(1, 2)
        _reliability(left, group)
        _risk(right, group, error)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    text = target.getvalue()
    return text[text.index("<svg") :]


def _reliability(axes: Axes, group: GroupReport) -> None:
    axes.plot([0, 1], [0, 1], color=_DIM, linewidth=1, linestyle=":", zorder=1)
    _curve(axes, group.scores, group.right, _RAW, "s", "the score itself")
    if group.held_out:
        mapped = "calibrated" if group.result.points else "tried map, not given"
        _curve(axes, group.held_out[0], group.right, _MAPPED, "o", f"{mapped} (held-out rows)")
    _strip(axes, group.scores, group.right)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.13, 1.02), xlabel="said: probability of being right")
    axes.set_ylabel("found: share that is right")
    axes.set_title("Reliability")
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_yticks(np.linspace(0, 1, 6))
    _legend(axes)


def _curve(axes: Axes, probabilities: Floats, right: Bools, colour: str, marker: str, label: str) -> None:
    found = equal_bins(probabilities, right)
    means, shares = [each.mean for each in found], [each.right for each in found]
    ends = [interval(round(each.right * each.size), each.size) for each in found]
    off = [[share - low for share, (low, _) in zip(shares, ends, strict=True)]]
    off.append([high - share for share, (_, high) in zip(shares, ends, strict=True)])
    axes.errorbar(means, shares, yerr=np.maximum(off, 0), fmt="none", ecolor=colour, elinewidth=1, alpha=0.4, zorder=2)
    axes.plot(means, shares, color=colour, linewidth=1.2, marker=marker, markersize=5, label=label, zorder=3)


def _strip(axes: Axes, scores: Floats, right: Bools) -> None:
    """Show where the scores lie: right ones above, wrong ones below."""
    for rights, height, word in ((True, -0.055, "right"), (False, -0.105, "wrong")):
        at = scores[right == rights]
        axes.scatter(at, np.full(len(at), height), s=26, marker="|", color=_DIM, linewidth=0.7, alpha=0.6, zorder=1)
        axes.annotate(word, (1.03, height), fontsize=7.5, color=_DIM, va="center", annotation_clip=False)


def _risk(axes: Axes, group: GroupReport, error: float) -> None:
    order = np.argsort(-group.scores, kind="stable")
    ranked, wrong = group.scores[order], np.cumsum(~group.right[order])
    accepted = np.arange(1, len(ranked) + 1)
    whole = np.append(ranked[1:] < ranked[:-1], True)  # equal scores are accepted together
    axes.plot(accepted[whole] / len(ranked), (wrong / accepted)[whole], color=_RAW, linewidth=1.6, label="found wrong")
    axes.axhline(error, color=_LIMIT, linewidth=1, linestyle="--", label=f"promised: at most {100 * error:g} %")
    for passed, marker, label in ((True, "v", "bound: promise kept"), (False, "x", "bound: not kept, so the end")):
        steps = [step for step in group.steps if step.passed == passed]
        if steps:
            at = [step.accepted / len(ranked) for step in steps]
            colour = _MAPPED if passed else _LIMIT
            axes.scatter(at, [step.bound for step in steps], s=24, marker=marker, color=colour, label=label, zorder=4)
    top = max([2.2 * error, *(wrong / accepted)[whole][len(ranked) // 20 :], *(step.bound for step in group.steps)])
    top = min(1.0, 1.25 * top)
    if group.result.accepted is not None:
        axes.axvspan(0, group.result.accepted, color=_MAPPED, alpha=0.09, linewidth=0)
        axes.annotate(
            f"accepted from {group.result.threshold:g} on",
            (group.result.accepted, top),
            xytext=(-4 if group.result.accepted > 0.4 else 4, -2),
            textcoords="offset points",
            ha="right" if group.result.accepted > 0.4 else "left",
            va="top",
            fontsize=8.5,
            color=_MAPPED,
        )
    axes.set(xlim=(0, 1.01), ylim=(-0.03 * top, top), xlabel="accepted: share with the highest scores")
    axes.set_ylabel("of these wrong")
    axes.set_title("Risk and coverage")
    axes.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    _legend(axes)


def _legend(axes: Axes) -> None:
    """Explain the marks below the axes, where no value can lie under the words."""
    axes.legend(fontsize=8.5, handlelength=1.6, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
