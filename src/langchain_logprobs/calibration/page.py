"""The report as one web page that needs nothing but itself."""

from __future__ import annotations

import base64
from html import escape

from langchain_logprobs.calibration import sentences
from langchain_logprobs.calibration.fit import CalibrationReport, GroupReport, percent
from langchain_logprobs.calibration.pictures import picture

_STYLE = """
:root { --page: #ffffff; --text: #1b1f24; --dim: #57606a; --line: #d0d7de; --card: #f6f8fa; --kept: #0a58b5;
  --refused: #8a3a04; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1419; --text: #e3e8ee; --dim: #a3afbb; --line: #37414b;
  --card: #171d24; --kept: #7db8ff; --refused: #ffb27d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 64rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 span { color: var(--dim); font-weight: 400; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { text-align: start; font-weight: 600; color: var(--dim); white-space: nowrap; }
th, td { padding: .25rem 1.1rem .25rem 0; vertical-align: baseline; border-bottom: 1px solid var(--line); }
td { white-space: nowrap; } td.name { white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
.number { text-align: end; }
section { margin: 1.6rem 0; padding: 1rem 1.2rem; border: 1px solid var(--line); border-radius: 8px;
  background: var(--card); }
.kept { color: var(--kept); font-weight: 600; } .refused { color: var(--refused); font-weight: 600; }
img { width: 100%; height: auto; background: #ffffff; border-radius: 6px; margin-top: .6rem; padding: .4rem; }
.dim { color: var(--dim); } details { margin-top: .5rem; } summary { cursor: pointer; }
"""
_HEADS = ("field", "labels", "wrong", "AUROC (95 %)", "ECE", "Brier", "accept from", "left for people")


def page_html(report: CalibrationReport, source: str) -> str:
    """Return the page.

    Args:
        report: What to show.
        source: Where the labels came from, for its head.
    """
    found = report.calibration
    rows = "".join(_row(number, group) for number, group in enumerate(report.groups))
    sections = "".join(_section(number, group, report) for number, group in enumerate(report.groups))
    heads = "".join(f"<th{_number(head)}>{head}</th>" for head in _HEADS)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Calibration of {escape(source)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Calibration of {escape(source)}</h1>
<p>{escape(sentences.summary(report))} A threshold promises: {escape(sentences.promise(report))}. The promise is of each
field by itself. Saved as <code>{escape(found.name)}</code>.</p>
<div class="scroll"><table>
<thead><tr>{heads}</tr></thead>
<tbody>{rows}</tbody>
</table></div>
<p class="dim">ECE, the expected calibration error, and the Brier score are of the score itself → of the map, each value
by a map that was learned without it. AUROC is the probability that a right value scores above a wrong one.</p>
{sections}
</body>
</html>
"""


def _row(number: int, group: GroupReport) -> str:
    result = group.result
    name = f'<a href="#group-{number}">{escape(sentences.field_name(result))}</a> '
    name += f'<span class="dim">{escape(sentences.asked(result))}</span>'
    cells = [f"{result.labels:,}", f"{result.wrong:,}", sentences.area_text(group), *_changes(group)]
    kept = result.threshold is not None and result.accepted is not None
    cells += [f"{result.threshold:g}", percent(1 - (result.accepted or 0))] if kept else ["none", "all"]
    body = "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells)
    return f'<tr><td class="name">{name}</td>{body}</tr>\n'


def _changes(group: GroupReport) -> list[str]:
    after = group.after
    return [
        sentences.change(group.before.calibration_error, None if after is None else after.calibration_error),
        sentences.change(group.before.brier, None if after is None else after.brier),
    ]


def _section(number: int, group: GroupReport, report: CalibrationReport) -> str:
    result = group.result
    kind = "refused" if result.threshold is None else "kept"
    reasons = "".join(f"<p>{escape(reason)}</p>" for reason in result.reasons)
    svg = base64.b64encode(picture(group, report.calibration.error).encode()).decode()
    told = f"Reliability diagram, and risk by share accepted, of {sentences.field_name(result)}"
    return f"""<section id="group-{number}">
<h2>{escape(sentences.field_name(result))} <span>{escape(sentences.asked(result))}</span></h2>
<p class="{kind}">{escape(sentences.verdict(group, report))}</p>
{reasons}
<img alt="{escape(told)}" src="data:image/svg+xml;base64,{svg}">
{_steps(group)}
</section>
"""


def _steps(group: GroupReport) -> str:
    if not group.steps:
        return ""
    rows = "".join(
        f'<tr><td class="number">{step.threshold:g}</td><td class="number">{step.accepted}</td>'
        f'<td class="number">{step.wrong}</td><td class="number">{percent(step.bound)}</td>'
        f"<td>{'kept' if step.passed else 'not kept: the walk ends'}</td></tr>"
        for step in group.steps
    )
    heads = "".join(f'<th class="number">{head}</th>' for head in ("from", "accepted", "wrong", "believable at most"))
    return (
        f"<details><summary>The thresholds that were tested, in this order ({len(group.steps)})</summary>"
        f'<div class="scroll"><table><thead><tr>{heads}<th>the promise</th></tr></thead><tbody>{rows}</tbody></table>'
        "</div></details>"
    )


def _number(head: str) -> str:
    return "" if head == _HEADS[0] else ' class="number"'
