"""What tells `callpool up`, and the set-up before it, to stop."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from processes import still_running, until

BOOTSTRAP = Path(__file__).parents[2] / "bootstrap.py"

WAITS = """
import asyncio, signal
from callpool.local.signals import StopSignals

async def main():
    signals = StopSignals(again=lambda: None)
    print("waiting", flush=True)
    try:
        await asyncio.wait_for(signals.first.wait(), 20)
    finally:
        signals.close()

asyncio.run(main())
"""


def ignore_hangups() -> None:
    """As `nohup` does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def heed_hangups() -> None:
    """Whatever started the tests may have had them ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("nohup", [False, True])
def test_a_closed_terminal_stops_it_unless_that_is_ignored(nohup: bool) -> None:
    """SIGHUP is a signal to stop; under `nohup` SIGTERM still is one."""
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS],
        stdout=subprocess.PIPE,
        preexec_fn=ignore_hangups if nohup else heed_hangups,
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == b"waiting\n"
        process.send_signal(signal.SIGHUP)
        if nohup:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


@pytest.mark.parametrize("nohup", [False, True])
def test_the_set_up_ends_its_step_with_a_closed_terminal(tmp_path: Path, nohup: bool) -> None:
    """The step has a session of its own, which no terminal ends; under `nohup` both go on."""
    shutil.copy(BOOTSTRAP, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nexec sleep 600\n")
    python.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "bootstrap.py", "page"],
        preexec_fn=ignore_hangups if nohup else heed_hangups,
    )
    with process:
        children = psutil.Process(process.pid).children
        step = until(lambda: [one for one in children() if one.name() == "sleep"], "the step runs")
        process.send_signal(signal.SIGHUP)
        if nohup:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            assert step[0].is_running()
            process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + (signal.SIGTERM if nohup else signal.SIGHUP)
        assert still_running(step) == []
