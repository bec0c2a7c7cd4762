"""What a script for the local providers has to hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from callpool.errors import SettingError
from callpool.local.behaviour import Heard, Said, Script, ToolUse

HEARS = "hears: [{text: hi}]\n"
SAYS = "says: [{text: hello}]\n"


def read(folder: Path, text: str) -> Script:
    path = folder / "script.yaml"
    path.write_text(text)
    return Script.read(path)


def test_a_script_is_read(tmp_path: Path) -> None:
    """Words, languages and tool calls."""
    script = read(
        tmp_path,
        "hears: [{text: uno, language: es}]\n"
        "says: [{tools: [{name: look, arguments: {n: 1}}], text: Done.}]\n",
    )
    assert script == Script([Heard("uno", "es")], [Said("Done.", (ToolUse("look", {"n": 1}),))])


@pytest.mark.parametrize(
    "text",
    [
        "hears: []\n" + SAYS,
        HEARS + "says: []\n",
        HEARS,
        "",
        HEARS + "says: [hello]\n",
        HEARS + "says: [{text: [}\n",
        "hears: [\n  {text: 'hi}\n]\n",
    ],
    ids=["nothing heard", "nothing said", "no says", "empty", "no table", "no YAML", "open quote"],
)
def test_a_script_that_cannot_be_followed_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    """The line names the option, the file and what would be valid."""
    with pytest.raises(SettingError) as refusal:
        read(tmp_path, text)
    assert str(refusal.value).startswith("--script is ")
    assert "script.yaml" in str(refusal.value)
    assert "expected a YAML file with lists `hears` and `says`" in str(refusal.value)
    assert "\n" not in str(refusal.value)
