"""`callpool new`: a package that works at once, or one line and nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from callpool.errors import CallpoolError, SettingError
from callpool.scaffold import write
from processes import clean_environment

ROOT = Path(__file__).parents[2]
FILES = {
    ".gitignore",
    "README.md",
    "callpool.toml",
    "pyproject.toml",
    "blue_door/__init__.py",
    "blue_door/host.md",
    "blue_door/host.py",
    "blue_door/host.yaml",
    "blue_door/py.typed",
    "blue_door/reservations.py",
    "blue_door/roster.py",
    "blue_door/scenarios/reservation.yaml",
}


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def callpool(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as it is installed: other than with `python -m`, the folder is not on Python's path."""
    return ran(folder, str(Path(sys.executable).with_name("callpool")), *arguments)


def ran(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=clean_environment(), capture_output=True, text=True, timeout=100
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package, new."""
    folder = tmp_path_factory.mktemp("here") / "Blue-Door"
    write(folder)
    return folder


def test_a_package_is_written_under_the_name_of_its_folder(project: Path) -> None:
    """One agent, its prompt, its rules, one tool, one scenario, and what makes it a project."""
    assert files_in(project) == FILES
    assert 'packages = ["blue_door"]' in (project / "pyproject.toml").read_text()
    for file in FILES:
        assert "PACKAGE" not in (project / file).read_text()


def test_none_of_its_files_is_left_out_of_a_wheel() -> None:
    """What .gitignore names for the repository's own root is neither cloned nor packed anywhere else."""
    files = [
        str(path) for path in (ROOT / "src/callpool/scaffold").rglob("*") if "__pycache__" not in path.parts
    ]
    ignored = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "check-ignore", "--no-index", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ignored.stdout == ""


def test_an_empty_folder_will_do(tmp_path: Path) -> None:
    """Such as one that was made for it."""
    (tmp_path / "blue_door").mkdir()
    said = write(tmp_path / "blue_door")
    assert files_in(tmp_path / "blue_door") == FILES
    assert f"cd {tmp_path}/blue_door\n" in said
    assert "callpool up --roster blue_door.roster" in said


def test_its_scenario_comes_true(project: Path) -> None:
    """With the commands that its README names, and without its settings: `--roster` is enough."""
    done = callpool(project, "eval")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout

    settings = project / "callpool.toml"
    settings.rename(project / "away.toml")
    try:
        done = callpool(project, "eval", "--roster", "blue_door.roster")
    finally:
        (project / "away.toml").rename(settings)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_scenario_fails_when_the_tool_writes_nothing(tmp_path: Path) -> None:
    """The reservation is looked for in the database."""
    write(tmp_path / "broken")
    tool = tmp_path / "broken" / "broken" / "reservations.py"
    line = "        await reservations.put(ctx.userdata.call_id, day, time, guests)\n"
    assert line in tool.read_text()
    tool.write_text(tool.read_text().replace(line, ""))
    done = callpool(tmp_path / "broken", "eval")
    assert done.returncode == 1
    assert "found 'no row'" in done.stdout


def test_its_graph_is_drawn(project: Path) -> None:
    """The roster is found in the working directory."""
    done = callpool(project, "agents", "graph", "--roster", "blue_door.roster")
    assert done.stdout.splitlines()[1:] == ["    [*] --> host: callpool", "    host --> [*]"]


@pytest.mark.parametrize(
    "command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy", "--strict", "-p", "blue_door"]]
)
def test_its_code_is_clean(project: Path, command: Sequence[str]) -> None:
    """By callpool's own rules for code."""
    tool, *rest = command
    config = "--config-file" if tool == "mypy" else "--config"
    done = ran(project, sys.executable, "-m", tool, *rest, config, str(ROOT / "pyproject.toml"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_can_be_installed(project: Path, tmp_path: Path) -> None:
    """Prompt, rules and scenario are in its wheel."""
    done = ran(project, sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in FILES if name.startswith("blue_door/")} <= inside


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1st", "a folder whose name can be a package's"),
        ("a b", "a folder whose name can be a package's"),
        ("class", "a folder whose name can be a package's"),
        ("json", "there is a package json already"),
        ("callpool-agents", "there is a package callpool_agents already"),
    ],
)
def test_a_name_that_no_package_can_have_is_refused(tmp_path: Path, name: str, expected: str) -> None:
    """In one line, and nothing is written."""
    with pytest.raises(SettingError, match=f"PATH is '{name}': .*{expected}"):
        write(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    """Also when that something is a file in the folder's place."""
    folder = tmp_path / "bakery"
    folder.mkdir()
    (folder / "notes").write_text("mine")
    with pytest.raises(SettingError, match="expected a new folder, or an empty one"):
        write(folder)
    assert files_in(folder) == {"notes"}
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SettingError, match="expected a new folder, or an empty one"):
        write(tmp_path / "file")


@pytest.mark.parametrize("there", [True, False])
def test_nothing_is_left_of_what_could_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """A disk that is full after some files: they go, and so do the folders that were made for them."""
    folder = tmp_path / "some" / "bakery"
    if there:
        folder.mkdir(parents=True)
    writes = 0

    def fill_the_disk(self: Path, text: str) -> int:
        nonlocal writes
        writes += 1
        if writes == 9:
            raise OSError(28, os.strerror(28), str(self))
        return self.write_bytes(text.encode())

    monkeypatch.setattr(Path, "write_text", fill_the_disk)
    with pytest.raises(CallpoolError, match=r"cannot write .*bakery/.*: No space left on device"):
        write(folder)
    assert writes == 9
    assert list(tmp_path.rglob("*")) == ([folder.parent, folder] if there else [])
