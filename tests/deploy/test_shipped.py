"""What deploy/ holds is whole: rules, dashboards and compose file, by the tools that read them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from shipped import DEPLOY, RULES, alerts, dashboards, queries

COMPOSE = DEPLOY / "compose.telemetry.yaml"
UNIT_TESTS = Path(__file__).with_name("alerts.yaml")


def promtool(*arguments: str) -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("NO PROMETHEUS: promtool is not on PATH")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_the_configuration_and_the_rules() -> None:
    """With what the configuration names beside it."""
    assert "SUCCESS" in promtool("check", "config", str(DEPLOY / "prometheus" / "prometheus.yaml"))


def test_alerts_fire_when_they_should_and_not_otherwise(tmp_path: Path) -> None:
    """promtool runs alerts.yaml."""
    for path in (RULES, UNIT_TESTS):
        shutil.copy(path, tmp_path)
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / UNIT_TESTS.name))


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_each_alert_is_tested_and_explained(alert: dict[str, Any]) -> None:
    """Both ways; the README has a section that its link leads to."""
    cases = [
        case
        for test in yaml.safe_load(UNIT_TESTS.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert["alert"]
    ]
    assert {bool(case["exp_alerts"]) for case in cases} == {True, False}
    assert alert["annotations"]["runbook_url"] == f"deploy/README.md#{alert['alert'].lower()}"
    assert f"\n### {alert['alert']}\n" in (DEPLOY / "README.md").read_text()
    assert {"summary", "description"} <= alert["annotations"].keys()


def test_the_dashboards_are_what_their_source_makes(tmp_path: Path) -> None:
    """Nobody has changed the JSON by hand."""
    code = (
        "import runpy, sys, json;"
        f"made = runpy.run_path({str(DEPLOY / 'grafana' / 'build.py')!r});"
        "json.dump(dict(made['documents']()), sys.stdout)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    made = yaml.safe_load(done.stdout)
    shipped = {path.stem: path.read_text() for path in DEPLOY.glob("grafana/dashboards/*.json")}
    assert made == shipped, "run: python deploy/grafana/build.py"
    assert len({dashboard["uid"] for dashboard in dashboards().values()}) == len(shipped)


@pytest.mark.parametrize(
    "expression", sorted({*(q.expression for q in queries()), *(a["expr"] for a in alerts())})
)
def test_no_expression_invents_data(expression: str) -> None:
    """`or vector(0)` would show a healthy 0 where nothing is measured."""
    assert "vector(" not in expression


def test_the_compose_file_is_valid_pinned_and_on_loopback() -> None:
    """By the schema of the Compose specification."""
    check = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE),
    ]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for name, service in yaml.safe_load(COMPOSE.read_text())["services"].items():
        tag = service["image"].rpartition(":")[2]
        assert tag.strip("v").replace(".", "").isdigit(), f"{name}: {service['image']} names no version"
        assert service["network_mode"] == "host"
        assert "0.0.0.0" not in str(service)
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert not source.startswith(".") or (COMPOSE.parent / source).is_dir(), source
