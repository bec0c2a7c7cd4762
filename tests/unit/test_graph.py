"""A roster as a diagram."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from callpool.call import Call
from callpool.drawing import draw
from callpool.errors import SettingError
from callpool.graph import graph, mermaid, renew
from callpool.settings import load
from callpool.stages import Roster, Stage, load_roster

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "agents.svg"

SVG = "{http://www.w3.org/2000/svg}"


async def satisfied(call: Call, business: object) -> bool:
    return True


def stage(name: str, then: str = "") -> Stage[Any, Any]:
    return Stage(name, str, greeting=lambda _: "Hello.", satisfied=satisfied if then else None, then=then)


def roster(
    *stages: Stage[Any, Any], transitions: Mapping[str, tuple[str, ...]], first: Mapping[str, str]
) -> Roster[Any, Any]:
    return Roster(stages=stages, first=first, transitions=transitions, open_business=str)


HOTEL = roster(
    stage("hall"),
    stage("desk", then="room"),
    stage("room"),
    stage("bar"),
    stage("street"),
    first={"hotel": "hall", "late": "bar"},
    transitions={
        "hall": ("desk", "street"),
        "desk": ("room", "hall", "street"),
        "room": ("room", "desk", "street"),
        "bar": ("street",),
    },
)


def drawn(roster: Roster[Any, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(draw(roster))


def texts(picture: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in picture.iter(f"{SVG}text")]


def boxes(picture: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of each stage."""
    rects = [
        {name: float(rect.get(name, "0")) for name in ("x", "y", "width", "height")}
        for rect in picture.iter(f"{SVG}rect")
    ]
    return [(r["x"], r["y"], r["x"] + r["width"], r["y"] + r["height"]) for r in rects[1:]]


def test_mermaid_has_the_stages_their_transitions_and_both_ends() -> None:
    """First stages by dispatch name; a stage that none follows leads to the end."""
    lines = [line.strip() for line in mermaid(HOTEL).splitlines()]
    assert lines == [
        "stateDiagram-v2",
        "[*] --> hall: hotel",
        "[*] --> bar: late",
        "hall --> desk",
        "hall --> street",
        "desk --> room: when satisfied",
        "desk --> hall",
        "desk --> street",
        "room --> room",
        "room --> desk",
        "room --> street",
        "bar --> street",
        "street --> [*]",
        "classDef passed stroke-dasharray: 6 4",
        "class desk passed",
    ]


def test_mermaid_survives_any_name() -> None:
    """A word of the diagram's own language, blanks and quotes: the name is a text then, beside an id."""
    odd = roster(
        stage("end"),
        stage('say "hi"; --> x'),
        first={"a:b": "end"},
        transitions={"end": ('say "hi"; --> x',)},
    )
    assert mermaid(odd).splitlines() == [
        "stateDiagram-v2",
        '    state "end" as stage_0',
        '    state "say #34;hi#34;#59; --#62; x" as stage_1',
        "    [*] --> stage_0: a#58;b",
        "    stage_0 --> stage_1",
        "    stage_1 --> [*]",
    ]


def test_the_picture_tells_the_same_in_words() -> None:
    """Each stage by name, with what is special about it."""
    assert texts(drawn(HOTEL)) == [
        "hall",
        "calls to hotel begin here",
        "desk",
        "passed through to room when satisfied",
        "room",
        "bar",
        "calls to late begin here",
        "street",
        "the call ends here",
    ]


def test_the_picture_is_the_same_each_time() -> None:
    """Byte for byte, in other processes too: texts are hashed differently there."""
    draws = "from test_graph import HOTEL, draw; print(draw(HOTEL), end='')"
    other = subprocess.run(
        [sys.executable, "-c", draws], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    )
    assert other.stdout == draw(HOTEL)


def test_an_arrow_head_arrives_wherever_a_step_leads() -> None:
    """One for each stage on each side that it is reached from, with its tip at the edge of the stage."""
    picture = drawn(HOTEL)
    hall, desk, room, bar, street = boxes(picture)
    tips = []
    for path in picture.iter(f"{SVG}path"):
        if path.get("fill") != "none" and (tip := re.match(r"M(\d+) (\d+)l", path.get("d", ""))):
            tips.append((float(tip[1]), float(tip[2])))

    def reached(box: tuple[float, float, float, float]) -> set[str]:
        left, top, right, bottom = box
        sides = {"left": left, "right": right}
        found = {side for side, x in sides.items() for tip in tips if tip[0] == x and top < tip[1] < bottom}
        return found | ({"top"} if any(left < x < right and y == top for x, y in tips) else set())

    assert reached(hall) == {"left"}
    assert reached(desk) == {"top", "left"}
    assert reached(room) == {"top", "left"}, "a stage may follow itself"
    assert reached(bar) == set()
    assert reached(street) == {"top", "right"}
    assert len(tips) == 7


def test_nothing_in_the_picture_overlaps_or_is_cut_off() -> None:
    """Stages keep apart, and all lines stay on the paper."""
    picture = drawn(HOTEL)
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    stages = boxes(picture)
    for above, below in itertools.pairwise(stages):
        assert above[3] < below[1]
    for path in picture.iter(f"{SVG}path"):
        x = 0.0
        for command, number in re.findall(r"([MHV ])(\d+)", path.get("d", "")):
            if command in "MH":
                x = float(number)
                assert 0 < x < width
            else:
                assert 0 < float(number) < height
    assert stages[-1][3] < height


def test_the_picture_has_paper_of_its_own() -> None:
    """It is dark on light also where the page around it is dark."""
    paper = next(drawn(HOTEL).iter(f"{SVG}rect"))
    picture = drawn(HOTEL)
    assert paper.get("fill") == "#ffffff"
    assert (paper.get("width"), paper.get("height")) == (picture.get("width"), picture.get("height"))


def test_names_are_escaped_in_the_picture() -> None:
    """A name is a name, whatever is in it."""
    assert (
        texts(drawn(roster(stage("a <b> & c"), first={"x": "a <b> & c"}, transitions={})))[0] == "a <b> & c"
    )


def test_svg_goes_to_a_file_or_to_standard_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command's output is the picture for `-`, else where it is."""
    monkeypatch.setattr("callpool.graph.load_roster", lambda _: HOTEL)
    file = tmp_path / "hotel.svg"
    assert graph(load({}), svg=Path("-")) == draw(HOTEL)
    assert graph(load({}), svg=file) == f"{file}\n"
    assert file.read_text() == draw(HOTEL)
    assert graph(load({})) == mermaid(HOTEL)
    with pytest.raises(SettingError, match=r"--svg is .*gone/hotel.svg'.*No such file"):
        graph(load({}), svg=tmp_path / "gone" / "hotel.svg")


def test_a_page_gets_the_diagram_of_now(tmp_path: Path) -> None:
    """Between its fences, and nothing else of the page changes."""
    page, picture = tmp_path / "page.md", tmp_path / "picture.svg"
    page.write_text("# A\n\n```mermaid\nstateDiagram-v2\n    old --> older\n```\n\n```sh\nls\n```\n")
    renew(page, picture, HOTEL)
    assert page.read_text() == f"# A\n\n```mermaid\n{mermaid(HOTEL)}```\n\n```sh\nls\n```\n"
    assert picture.read_text() == draw(HOTEL)


def test_the_readme_and_the_picture_are_up_to_date() -> None:
    """After a change to the roster: python -m callpool.graph README.md docs/agents.svg."""
    shop = load_roster("callpool_agents.roster")
    assert f"```mermaid\n{mermaid(shop)}```" in README.read_text()
    assert PICTURE.read_text() == draw(shop)
