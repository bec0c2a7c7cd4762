"""A roster's stages and transitions as a diagram: Mermaid for a page, SVG for a picture.

`python -m callpool.graph README.md docs/agents.svg` writes the shop's into both anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from callpool.drawing import draw
from callpool.errors import SettingError
from callpool.settings import Settings
from callpool.stages import Roster, load_roster

FENCED = re.compile(r"(?<=```mermaid\n)stateDiagram-v2\n.*?(?=```)", re.DOTALL)
"""The diagram in a page."""
PASSED = "when satisfied"
STANDARD_OUTPUT = Path("-")

_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_TAKEN = frozenset(
    {"state", "note", "end", "direction", "class", "classDef", "style", "default", "as", "root"}
)
"""Words of the diagram's language, which no stage can have as its id."""


def graph(settings: Settings, *, svg: Path | None = None) -> str:
    """What `callpool agents graph` prints: Mermaid, else the SVG for `-`, else where the SVG was written.

    Raises SettingError for a roster that is not there and a file that cannot be written.
    """
    roster = load_roster(settings.worker.roster)
    if svg is None:
        return mermaid(roster)
    picture = draw(roster)
    if svg == STANDARD_OUTPUT:
        return picture
    try:
        svg.write_text(picture)
    except OSError as error:
        raise SettingError("--svg", str(svg), f"a file that can be written ({error.strerror})") from error
    return f"{svg}\n"


def mermaid(roster: Roster[Any, Any]) -> str:
    """The roster as a Mermaid state diagram. The same roster gives the same text."""
    ids = {stage.name: _id(number, stage.name) for number, stage in enumerate(roster.stages)}
    passed = [stage for stage in roster.stages if stage.satisfied is not None]
    lines = [
        "stateDiagram-v2",
        *(f"state {_label(name, quoted=True)} as {id}" for name, id in ids.items() if name != id),
        *(f"[*] --> {ids[stage]}: {_label(agent_name)}" for agent_name, stage in roster.first.items()),
    ]
    for stage in roster.stages:
        for to in roster.transitions.get(stage.name, ()):
            why = f": {PASSED}" if stage in passed and to == stage.then else ""
            lines.append(f"{ids[stage.name]} --> {ids[to]}{why}")
        if not roster.transitions.get(stage.name):
            lines.append(f"{ids[stage.name]} --> [*]")
    if passed:
        lines.append("classDef passed stroke-dasharray: 6 4")
        lines += [f"class {ids[stage.name]} passed" for stage in passed]
    return "\n    ".join(lines) + "\n"


def _id(number: int, name: str) -> str:
    return name if _PLAIN.fullmatch(name) and name not in _TAKEN else f"stage_{number}"


def _label(text: str, *, quoted: bool = False) -> str:
    """A text in which nothing means anything to Mermaid."""
    safe = re.sub(r"[^\w .,()/-]", lambda match: f"#{ord(match[0])};", text)
    return f'"{safe}"' if quoted else safe


def renew(page: Path, picture: Path, roster: Roster[Any, Any]) -> None:
    """Write the diagram in a page, and the picture, anew."""
    text = mermaid(roster)
    page.write_text(FENCED.sub(lambda _: text, page.read_text()))
    picture.write_text(draw(roster))


if __name__ == "__main__":
    renew(Path(sys.argv[1]), Path(sys.argv[2]), load_roster(Settings().worker.roster))
