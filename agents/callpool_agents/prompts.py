"""Prompts are Markdown files beside the agents."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def read(name: str) -> str:
    """The text of `NAME.md`. Read once a process, while it warms up."""
    return resources.files(__package__).joinpath(f"{name}.md").read_text()
