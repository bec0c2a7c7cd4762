"""Write Grafana's dashboards from dashboards.yaml: `python deploy/grafana/build.py`.

Needs grafana-foundation-sdk, which `make set-up-dev` installs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import GraphDrawStyle, StackingMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, DataSourceRef

HERE = Path(__file__).parent
SOURCE = HERE / "dashboards.yaml"
TARGET = HERE / "dashboards"
PROMETHEUS = DataSourceRef("prometheus", "${datasource}")
ROW = 24
"""The width of Grafana's grid."""


def documents() -> Iterator[tuple[str, str]]:
    """Each dashboard's name, and its JSON."""
    for name, source in yaml.safe_load(SOURCE.read_text()).items():
        built = _dashboard(name, source).build()
        yield name, json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _dashboard(name: str, source: Mapping[str, Any]) -> dashboard.Dashboard:
    made = (
        dashboard.Dashboard(source["title"])
        .uid(f"callpool-{name}")
        .description(source["description"])
        .tags(["callpool"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .link(
            dashboard.DashboardLink("callpool")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["callpool"])
            .keep_time(True)
        )
    )
    for panel in source["panels"]:
        made.with_panel(_panel(panel))
    return made


def _panel(source: Mapping[str, Any]) -> stat.Panel | timeseries.Panel:
    number = source.get("kind") == "number"
    panel = stat.Panel() if number else timeseries.Panel()
    panel.title(source["title"]).datasource(PROMETHEUS).unit(source.get("unit", "short")).min(0)
    panel.height(4 if number else 8).span(4 if number else ROW // 2)
    if "description" in source:
        panel.description(source["description"])
    if "most" in source:
        panel.max(source["most"])
    if isinstance(panel, timeseries.Panel):
        panel.fill_opacity(10).show_points(VisibilityMode.AUTO).draw_style(GraphDrawStyle.LINE)
        if source.get("stack"):
            panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(40)
    for letter, query in zip("ABCDEFGH", source["queries"], strict=False):
        target = prometheus.Dataquery().expr(query["expr"]).ref_id(letter).datasource(PROMETHEUS)
        target.legend_format(query.get("legend", "")).exemplar(bool(source.get("exemplars")))
        panel.with_target(target.instant() if number else target.range())
    return panel


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    for name, document in documents():
        (TARGET / f"{name}.json").write_text(document)


if __name__ == "__main__":
    main()
