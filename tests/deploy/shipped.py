"""What deploy/ holds, as the tests read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"


@dataclass(frozen=True)
class Query:
    """One expression of a dashboard."""

    dashboard: str
    panel: str
    expression: str

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel}"


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def dashboards() -> dict[str, dict[str, Any]]:
    """The dashboards, by the names of their files."""
    return {path.stem: json.loads(path.read_text()) for path in DEPLOY.glob("grafana/dashboards/*.json")}


def queries() -> list[Query]:
    """Every expression of every panel of every dashboard."""
    return [
        Query(name, panel["title"], target["expr"])
        for name, dashboard in sorted(dashboards().items())
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
