"""Scenarios that are spoken, over the real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.call, pytest.mark.engines, pytest.mark.timeout(600)]

SCENARIOS = """
- name: put through
  turns:
    - say: Connect me to operator 25, I want to discuss my bill.
      expect: {stage: human_transfer, tools: [{name: transfer_call, args: {agent_id: 25}}], within_ms: 10000}
  rows: {sql: SELECT agent_id FROM transfers, equals: "25"}
  stages: [greeting, human_transfer]
  ending: transferred/to_person
- name: a business of its own
  turns: [{say: I want to talk to a person.}]
  rows: {sql: SELECT count(*) FROM transfers, equals: 1}
  ending: transferred
- name: not what happens
  turns: [{say: Connect me to operator 25., expect: {stage: problem_solving}}]
  ending: completed
"""


def test_a_spoken_scenario_is_checked_like_a_written_one(tmp_path: Path) -> None:
    """Stages, tools and ending from the record, rows from a business that is renewed before each scenario."""
    (tmp_path / "spoken.yaml").write_text(SCENARIOS)
    env = dict(os.environ) | {"CALLPOOL_DATA_DIR": str(tmp_path / "none")}
    command = [sys.executable, "-m", "callpool", "eval", str(tmp_path / "spoken.yaml"), "--audio", "--json"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    put_through, own, wrong = document["scenarios"]
    assert document["mode"] == "audio"
    assert put_through["failures"] == []
    assert own["failures"] == []
    assert put_through["turns"][0]["tools"] == [{"name": "transfer_call", "args": None}]
    assert any("args" in note for note in put_through["notes"])
    assert [failure.split(": ")[1] for failure in wrong["failures"]] == ["stage", "ending"]
