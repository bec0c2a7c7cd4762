"""The benchmark of turns: what it says when something was not measured, and what it leaves behind."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from processes import heed_control_c, still_running, until

TURNS = Path(__file__).parents[2] / "benchmarks" / "turns.py"

SERVER = """#!{python}
import json, os, pathlib, sys, time
if "--version" in sys.argv:
    sys.exit(print("livekit-server version 1.11.0"))
file = pathlib.Path({file!r})
file.with_suffix(".new").write_text(json.dumps({{"pid": os.getpid(), "env": dict(os.environ)}}))
file.with_suffix(".new").rename(file)
time.sleep(600)
"""
"""A LiveKit server that never answers, and tells what it was given."""


@pytest.fixture(scope="module")
def turns() -> ModuleType:
    spec = importlib.util.spec_from_file_location("turns", TURNS)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["turns"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_was_measured_is_reported_without_the_rest(
    turns: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """A starter that was never interrupted has no barge-in: its ratio is missing, and all else is there."""
    measured = {
        "callpool": turns.Measured(first_audio=[0.5], gap=[0.6, 0.7], barge_in=[0.2]),
        "stock": turns.Measured(first_audio=[1.0], gap=[1.3], unanswered=2),
    }
    turns.report(measured, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["ratios"] == {"gap": 0.5, "barge_in": None, "first_audio": 0.5}
    assert (document["callpool"]["barge_in_p50_s"], document["stock"]["barge_in_p50_s"]) == (0.2, None)
    turns.report(measured, as_json=False)
    assert "barge_in ratio" in capsys.readouterr().out
    assert turns.above_limits(measured) == ["barge_in ratio: nothing was measured"]


def test_the_gate_says_what_it_did_not_let_pass(turns: ModuleType) -> None:
    """Each limit with its figure; nothing when all are kept."""
    stock = turns.Measured(first_audio=[1.0], gap=[1.0], barge_in=[1.0])
    good = turns.Measured(first_audio=[1.0], gap=[0.93], barge_in=[0.75])
    assert turns.above_limits({"callpool": good, "stock": stock}) == []
    bad = turns.Measured([1.0], [0.94], [0.75], unanswered=1, paused_turns_cut=2)
    assert turns.above_limits({"callpool": bad, "stock": stock}) == [
        "gap ratio 0.94 is above 0.93",
        "callpool cut 2 paused turns",
        "callpool left 1 callers or questions unanswered",
    ]
    nothing = {"callpool": turns.Measured(), "stock": turns.Measured()}
    assert len(turns.above_limits(nothing)) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_stopped_it_leaves_nothing_running(tmp_path: Path, number: signal.Signals) -> None:
    """Nor its folder, unless it was killed; and the LiveKit server gets none of its variables."""
    file, temporary = tmp_path / "started", tmp_path / "tmp"
    server = tmp_path / "livekit-server"
    server.write_text(SERVER.format(python=sys.executable, file=str(file)))
    server.chmod(0o755)
    temporary.mkdir()
    variables = {"LIVEKIT_KEYS": "a: b", "CALLPOOL_LIVEKIT_SERVER": str(server), "TMPDIR": str(temporary)}
    process = subprocess.Popen(
        [sys.executable, TURNS, "--calls", "1"],
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=heed_control_c,
    )
    with process:
        try:
            given = json.loads(until(lambda: file.exists() and file.read_text(), "the server is started"))
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(number)
            assert process.wait(20) == (-9 if number == signal.SIGKILL else 130)
        finally:
            process.kill()
    assert given["pid"] in [one.pid for one in family]
    assert still_running(family) == []
    assert "LIVEKIT_KEYS" not in given["env"]
    if number != signal.SIGKILL:
        assert list(temporary.iterdir()) == []
