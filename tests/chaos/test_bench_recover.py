"""`callpool bench recover`, as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from processes import clean_environment

pytestmark = [pytest.mark.call, pytest.mark.timeout(240)]


def test_a_killed_job_is_timed(livekit_program: Path, tmp_path: Path) -> None:
    """One call, one kill, one time."""
    run = subprocess.run(
        [sys.executable, "-m", "callpool", "bench", "recover", "job", "-n", "1", "--json"],
        env=clean_environment(CALLPOOL_LIVEKIT_SERVER=str(livekit_program)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 0, run.stderr
    (time_s,) = json.loads(run.stdout)["job"]
    print(f"heard again after {time_s:.2f} s")
    assert 0 < time_s < 30
