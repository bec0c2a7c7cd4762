"""Prompts are Markdown files beside the agents, one for each language."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources

from callpool.call import Call, base_language

FALLBACK = "en"
"""The language of a prompt that the caller's language lacks."""


@cache
def read(name: str, language: str) -> str:
    """The text of `NAME.LANGUAGE.md`. Read once a process, while it warms up."""
    folder = resources.files(__package__)
    file = folder.joinpath(f"{name}.{language}.md")
    return (file if file.is_file() else folder.joinpath(f"{name}.{FALLBACK}.md")).read_text()


def of(name: str) -> Callable[[Call], str]:
    """The instructions of a stage's agent: its prompt, and what it need not ask for any more."""

    def prompt(call: Call) -> str:
        known = "".join(f"- {fact}: {value}\n" for fact, value in call.state.known().items())
        text = read(name, base_language(call.language))
        return f"{text}\n## Known already\n\n{known}" if known else text

    return prompt
