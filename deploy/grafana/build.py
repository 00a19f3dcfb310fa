"""The dashboard, built with Grafana's own SDK; run, it writes dashboard.json beside this file."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.builders import heatmap, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import StackingConfig, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import (
    Dashboard,
    DatasourceVariable,
    FieldColor,
    QueryVariable,
    Row,
    ThresholdsConfig,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import BigValueGraphMode, LegendDisplayMode, LegendPlacement, StackingMode
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FILE = Path(__file__).resolve().with_name("dashboard.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
MODEL = 'gen_ai_request_model=~"$model"'


def query(
    expression: str, legend: str = "", *, exemplars: bool = False, as_heatmap: bool = False
) -> prometheus.Dataquery:
    """Return a query, whose exemplars lead from a bucket to a trace."""
    made = prometheus.Dataquery().expr(expression).legend_format(legend).exemplar(exemplars).ref_id("A")
    return made.format(PromQueryFormat.HEATMAP) if as_heatmap else made


def rate(metric: str, *labels: str) -> str:
    """Return the rate of a counter, per model."""
    return f"sum by (gen_ai_request_model) (rate({metric}{{{', '.join((MODEL, *labels))}}}[$__rate_interval]))"


def quantile(share: float, metric: str) -> str:
    """Return a quantile of a histogram, per model."""
    buckets = f"rate({metric}_bucket{{{MODEL}}}[$__rate_interval])"
    return f"histogram_quantile({share}, sum by (le, gen_ai_request_model) ({buckets}))"


def thresholds(medium: float, high: float) -> ThresholdsConfig:
    """Return the colours of the three levels: vermilion, yellow, blue, which a colour-blind reader tells apart."""
    steps = [
        Threshold(value=None, color="#D55E00"),
        Threshold(value=medium, color="#F0E442"),
        Threshold(value=high, color="#0072B2"),
    ]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def lines(title: str, said: str, *queries: prometheus.Dataquery, unit: str = "percentunit") -> timeseries.Panel:
    """Return a panel of lines over time, from 0 to 1."""
    panel = timeseries.Panel().title(title).description(said).datasource(SOURCE).unit(unit).min(0).span(12).height(8)
    panel = panel.max(1) if unit == "percentunit" else panel
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)
    for letter, each in zip("ABC", queries, strict=False):
        panel = panel.with_target(each.ref_id(letter))
    return panel.legend(legend)


def number(title: str, said: str, expression: str, *, good: tuple[float, float] | None = None) -> stat.Panel:
    """Return a panel of one number per model."""
    panel = stat.Panel().title(title).description(said).datasource(SOURCE).unit("percentunit").span(6).height(5)
    panel = panel.with_target(query(expression, "{{gen_ai_request_model}}")).graph_mode(BigValueGraphMode.AREA)
    if good is not None:
        color = FieldColor().mode(FieldColorModeId.THRESHOLDS)
        panel = panel.thresholds(thresholds(*good)).color_scheme(color)
    return panel


def levels() -> timeseries.Panel:
    """Return the shares of the levels, on top of each other."""
    chosen = f'logprobs_generations_total{{{MODEL}, logprobs_confidence_level!=""}}'
    per_level = f"sum by (logprobs_confidence_level) (rate({chosen}[$__rate_interval]))"
    panel = lines(
        "Levels",
        "Answers by the level of their confidence.",
        query(per_level, "{{logprobs_confidence_level}}"),
        unit="reqps",
    )
    return panel.stacking(StackingConfig().mode(StackingMode.PERCENT)).fill_opacity(60)


def confidences() -> heatmap.Panel:
    """Return how many answers had which confidence, with exemplars that open their traces."""
    buckets = f"sum by (le) (increase(logprobs_generation_confidence_bucket{{{MODEL}}}[$__rate_interval]))"
    panel = heatmap.Panel().title("Confidence of the answers").datasource(SOURCE).span(12).height(8).calculate(False)
    panel = panel.description(
        "exp(mean logprob). A point is an answer: it links to its trace where exemplars are kept."
    )
    return panel.with_target(query(buckets, "{{le}}", exemplars=True, as_heatmap=True))


def dashboard() -> Dashboard:
    """Return the dashboard."""
    confidence, weakest = "logprobs_generation_confidence", "logprobs_generation_min_probability"
    low_level = rate("logprobs_generations_total", 'logprobs_confidence_level="low"')
    with_level = rate("logprobs_generations_total", 'logprobs_confidence_level!=""')
    missing = rate("logprobs_generations_total", 'logprobs_status="missing"')
    asked = rate("logprobs_generations_total", 'logprobs_status!="not_requested"')
    low_tokens, tokens = rate("logprobs_low_confidence_tokens_total"), rate("logprobs_tokens_total")
    model = QueryVariable("model").label("model").datasource(SOURCE).multi(True).include_all(True).all_value(".*")
    model = model.query("label_values(logprobs_generations_total, gen_ai_request_model)")
    model = model.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    of_model = "{{gen_ai_request_model}}"
    return (
        Dashboard("Token confidence of language models")
        .uid("langchain-logprobs")
        .tags(["langchain-logprobs", "llm"])
        .description(
            "What langchain-logprobs measures: how sure the models were, where not, and whether logprobs come."
        )
        .time("now-6h", "now")
        .refresh("1m")
        .with_variable(DatasourceVariable("datasource").label("data source").type("prometheus"))
        .with_variable(model)
        .with_row(Row("Now"))
        .with_panel(
            number("Median confidence", "Half of the answers are surer.", quantile(0.5, confidence), good=(0.65, 0.86))
        )
        .with_panel(number("Unsure answers", "Share of the level low.", f"{low_level} / {with_level}"))
        .with_panel(number("Unsure tokens", "Under Settings.low_probability.", f"{low_tokens} / {tokens}"))
        .with_panel(number("Without logprobs", "Asked for, and none came.", f"{missing} / {asked}"))
        .with_row(Row("Over time"))
        .with_panel(
            lines(
                "Confidence",
                "exp(mean logprob) of the answers: the median, and what one in ten is below.",
                query(quantile(0.5, confidence), f"{of_model}, median", exemplars=True),
                query(quantile(0.1, confidence), f"{of_model}, one in ten below"),
            )
        )
        .with_panel(confidences())
        .with_panel(levels())
        .with_panel(
            lines(
                "Weakest token",
                "Probability of the weakest token of each answer: the median.",
                query(quantile(0.5, weakest), of_model, exemplars=True),
            )
        )
        .with_panel(lines("Unsure tokens", "Share of all tokens.", query(f"{low_tokens} / {tokens}", of_model)))
        .with_panel(
            lines("Without logprobs", "Share of the calls that asked.", query(f"{missing} / {asked}", of_model))
        )
    )


def as_json() -> str:
    """Return the dashboard as Grafana imports it."""
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard().build()) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv[1:]:
        sys.exit(0 if FILE.read_text("utf-8") == as_json() else "dashboard.json is not what build.py makes: run it")
    FILE.write_text(as_json(), "utf-8")
