"""The command line itself: help, usage errors, exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from callpool import __version__
from callpool.cli import main, root


@dataclass(frozen=True)
class Outcome:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `callpool …` in an empty folder, without any setting from outside."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("CALLPOOL_", "LIVEKIT_"))]:
        monkeypatch.delenv(name)

    def call(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["callpool", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        output = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Outcome(stop.value.code, output.out, output.err)

    return call


def paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from paths(child, (*path, name))


@pytest.mark.parametrize("path", list(paths(root)), ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself(run: Run, path: tuple[str, ...], flag: str) -> None:
    """Help goes to stdout, begins with the usage, and exits 0."""
    outcome = run(*path, flag)

    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage: ")
    assert " ".join(path) in outcome.out.splitlines()[0]
    assert len(outcome.out.splitlines()) > 3


def test_the_version_is_printed(run: Run) -> None:
    """One line on stdout."""
    assert run("--version") == Outcome(0, f"callpool {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("dance",), "No such command 'dance'"),
        (("calls", "dance"), "No such command 'dance'"),
        (("calls", "show"), "Missing argument 'CALL'"),
        (("calls", "show", "a", "b"), "Got unexpected extra argument (b)"),
        (("calls", "list", "--limit", "0"), "0 is not in the range 1<=x<=1000000"),
        (("calls", "list", "--limit", "many"), "'many' is not a valid integer"),
        (("worker", "--prot", "1"), "No such option"),
        (("worker", "--port", "x"), "'x' is not a valid integer"),
        (("call", "--wav", "missing.wav"), "'missing.wav' does not exist"),
        (("call", "hello", "--save", "."), "File '.' is a directory"),
        (("web", "--host", ".."), "--host is '..': expected a host name or an address of this machine"),
        (("providers", "--latency", "soon"), "--latency is 'soon': expected NAME=MILLISECONDS"),
        (("providers", "--fault", "flood:1"), "--fault is 'flood:1': expected KIND:RATE"),
        (("--config", "missing.toml", "config", "show"), "--config is 'missing.toml': expected a file"),
        (("web", "--port", "70000"), "--port is 70000: expected a port from 0 to 65535"),
    ],
)
def test_a_usage_error_is_one_line_and_exit_2(run: Run, arguments: tuple[str, ...], message: str) -> None:
    """The line goes to stderr and names what was wrong; there is no traceback."""
    outcome = run(*arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("callpool: ")
    assert outcome.err.count("\n") == 1
    assert message in outcome.err


@pytest.mark.parametrize("arguments", [(), ("calls",), ("db",), ("config",)])
def test_a_group_without_a_command_shows_its_help(run: Run, arguments: tuple[str, ...]) -> None:
    """And exits 2, since nothing was done."""
    outcome = run(*arguments)

    assert outcome.code == 2
    assert outcome.out.startswith("Usage: ")


def test_a_bad_setting_is_one_line_and_exit_2(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the command, the variable is named."""
    monkeypatch.setenv("CALLPOOL_WEB_PORT", "eighty")

    assert run("config", "show") == Outcome(
        2, "", "callpool: CALLPOOL_WEB_PORT is 'eighty': expected a whole number\n"
    )


def test_a_failure_is_one_line_and_exit_1(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a person can mend is explained, not traced."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database\n" * 100)
    monkeypatch.setenv("CALLPOOL_STORE_URL", f"sqlite:///{path}")

    assert run("calls", "list") == Outcome(
        1, "", f"callpool: the database {path} cannot be used: file is not a database\n"
    )


def test_json_is_one_document(run: Run) -> None:
    """`--json` prints nothing else on stdout."""
    assert json.loads(run("config", "show", "--json").out)["unknown_variables"] == []
    assert run("calls", "list", "--json") == Outcome(0, "[]\n", "")


def test_upgrading_the_default_store_makes_it(run: Run, tmp_path: Path) -> None:
    """`db upgrade` works before anything else has run."""
    outcome = run("db", "upgrade")

    assert (outcome.code, outcome.err) == (0, "")
    assert (tmp_path / ".callpool" / "callpool.db").exists()
    assert run("calls", "list") == Outcome(0, "no calls yet\n", "")
