"""`.ci/skips.py`: no test is skipped unnoticed. The Makefile: what it says without a Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SUITE = """
import pytest
def test_one(): pass
@pytest.mark.skipif(True, reason={reason!r})
def test_two(): pass
@pytest.mark.xfail(reason="known")
def test_three(): assert False
"""


def count(folder: Path, reason: str) -> subprocess.CompletedProcess[str]:
    """Run a suite with a test that is skipped for `reason`, and what CI says to its report."""
    (folder / "test_suite.py").write_text(SUITE.format(reason=reason))
    report = folder / "report.xml"
    pytest_run = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", folder, folder]
    subprocess.run([*pytest_run, f"--junitxml={report}"], check=True, capture_output=True)
    return skips(report)


def skips(report: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / ".ci" / "skips.py", ROOT / ".ci" / "allowed-skips", report]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_skip_on_the_list_is_counted(tmp_path: Path) -> None:
    """Its reason is printed; CI goes on."""
    done = count(tmp_path, "NO BROWSER: /usr/bin/chromium is not installed")
    assert done.returncode == 0
    assert done.stdout.startswith("1 of 3 tests were skipped, 0 of them unexpectedly")
    assert "NO BROWSER" in done.stdout


def test_any_other_skip_fails(tmp_path: Path) -> None:
    """An expected failure is no skip."""
    done = count(tmp_path, "not today")
    assert done.returncode == 1
    assert "1 of 3 tests were skipped, 1 of them unexpectedly" in done.stdout
    assert "NOT ALLOWED: not today" in done.stdout


def test_a_report_without_tests_fails(tmp_path: Path) -> None:
    """A suite that collected nothing has not passed."""
    (tmp_path / "report.xml").write_text("<testsuites/>")
    done = skips(tmp_path / "report.xml")
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (1, "no test ran", "")


@pytest.mark.parametrize("text", [None, "", "<testsuites><testsuite>"])
def test_a_report_that_is_missing_is_no_verdict(tmp_path: Path, text: str | None) -> None:
    """Nor is one that was cut short: one line names the file, and the exit code is neither 0 nor 1."""
    report = tmp_path / "report.xml"
    if text is not None:
        report.write_text(text)
    done = skips(report)
    assert (done.returncode, done.stderr) == (2, "")
    assert len(done.stdout.splitlines()) == 1
    assert done.stdout.startswith(f"no report, so the skipped tests were not counted: {report}: ")


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_without_a_python_make_says_which_it_tried(tmp_path: Path) -> None:
    """One line, not a traceback, for a machine whose Python is too old."""
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    done = subprocess.run(
        [shutil.which("make") or "make", "up"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    ours = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(ours) == 1
    assert ours[0].startswith("callpool needs Python 3.11 or newer (tried: python3.13 python3.12")
