"""docs/agents.md: whoever follows the page gets what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processes import clean_environment

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "agents.md"

BLOCK = re.compile(
    r"(?:^`(?P<file>[\w./]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
TIME = re.compile(r"\d+(\.\d+ s)?$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """What stands between fences: a file, or commands and what they print."""

    file: str | None
    kind: str
    text: str

    def commands(self) -> Iterator[tuple[str, str]]:
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def blocks() -> list[Block]:
    return [Block(match["file"], match["kind"], match["text"]) for match in BLOCK.finditer(PAGE.read_text())]


def test_the_page_is_true(tmp_path: Path) -> None:
    """From top to bottom: each file is written, each command run, and prints what the page says."""
    folder = tmp_path
    ran = []
    for block in blocks():
        if block.file is not None:
            (folder / block.file).write_text(block.text)
            continue
        assert block.kind == "console", f"neither a file nor commands: {block.text}"
        for command, output in block.commands():
            if command.startswith("cd "):
                folder = folder / command.removeprefix("cd ")
                continue
            ran.append(command)
            assert unhurried(printed(folder, command)) == unhurried(output), command
    assert ran == ["callpool new blue-door", "callpool eval", "callpool agents graph", "callpool eval"]
    check_code(folder)


def printed(folder: Path, command: str) -> str:
    program, *arguments = command.split()
    done = subprocess.run(
        [str(Path(sys.executable).with_name(program)), *arguments],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def unhurried(output: str) -> str:
    """The output without what a clock put into it."""
    return TIME.sub("…", output)


def check_code(folder: Path) -> None:
    """The page's code is as clean as callpool's own."""
    config = str(ROOT / "pyproject.toml")
    for command in (
        ["ruff", "check", "--config", config],
        ["ruff", "format", "--check", "--config", config],
        ["mypy", "--strict", "--config-file", config, "-p", "blue_door"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stdout + done.stderr
