"""Which stage may follow which, which are passed through, and how a roster is found."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callpool import settings
from callpool.call import Call
from callpool.errors import SettingError
from callpool.stages import IllegalHandOff, Roster, Stage, load_roster, prepare_business


def stage(name: str, *, done: bool = False, then: str = "") -> Stage[str, None]:
    async def satisfied(call: Call, business: None) -> bool:
        return done

    return Stage(
        name,
        lambda _: name,
        greeting=lambda _: "Hello.",
        satisfied=satisfied if done or then else None,
        then=then,
    )


def roster(
    *stages: Stage[str, None],
    transitions: Mapping[str, tuple[str, ...]] | None = None,
    first: Mapping[str, str] | None = None,
) -> Roster[str, None]:
    return Roster(
        stages=stages,
        first={"callpool": "a"} if first is None else first,
        transitions=transitions or {},
        open_business=lambda _: None,
    )


def call_in(name: str) -> Call:
    return Call("c_1", room="call-1", agent_name="callpool", stage=name)


async def test_a_hand_off_leads_to_a_stage_that_may_follow() -> None:
    """The table of transitions says which."""
    route = await roster(stage("a"), stage("b"), transitions={"a": ("b",)}).route(call_in("a"), "b", None)
    assert (route.stage.name, route.passed) == ("b", ())


async def test_stages_with_nothing_left_to_do_are_passed_through() -> None:
    """All of them, in order, up to the first that has something to ask."""
    shop = roster(
        stage("a"),
        stage("b", done=True, then="c"),
        stage("c", done=True, then="d"),
        stage("d"),
        transitions={"a": ("b",), "b": ("c",), "c": ("d",)},
    )
    route = await shop.route(call_in("a"), "b", None)
    assert [passed.name for passed in route.passed] == ["b", "c"]
    assert route.stage.name == "d"


@pytest.mark.parametrize(
    ("here", "to", "advice"),
    [("a", "c", "Stages that may follow a: b."), ("b", "a", "Stages that may follow b: none")],
)
async def test_an_illegal_hand_off_says_what_is_legal(here: str, to: str, advice: str) -> None:
    """A model reads the error, and can act on it."""
    shop = roster(stage("a"), stage("b"), stage("c"), transitions={"a": ("b",)})
    with pytest.raises(IllegalHandOff, match=f"cannot go from {here} to {to}") as refused:
        await shop.route(call_in(here), to, None)
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    ("stages", "others", "problem"),
    [
        ((stage("a"), stage("a")), {}, "two stages have one name: a, a"),
        ((stage("a"),), {"transitions": {"a": ("b",)}}, "no stage is called b"),
        ((stage("a", then="c"),), {}, "no stage is called c"),
        ((stage("b"),), {}, "no stage is called a"),
        ((Stage("a", lambda _: "a"),), {}, "calls begin with a, which has no greeting"),
        ((stage("a", done=True),), {}, "a may be passed through, and has no stage that follows then"),
        (
            (stage("a"), stage("b", done=True, then="c"), stage("c")),
            {"transitions": {"a": ("b",)}},
            "b goes on to c when it is passed through, and c may not follow it",
        ),
        (
            (stage("a", then="b"), stage("b", then="a")),
            {"transitions": {"a": ("b",), "b": ("a",)}},
            "stages lead back to a when they are passed through",
        ),
    ],
)
def test_a_roster_that_does_not_hold_together_is_refused(
    stages: tuple[Stage[str, None], ...], others: dict[str, Any], problem: str
) -> None:
    """When it is made, with the names at fault: not in mid-call."""
    with pytest.raises(ValueError, match=problem):
        roster(*stages, **others)


def test_the_shipped_roster_loads() -> None:
    """The default of CALLPOOL_ROSTER is a roster, and calls begin with its greeting."""
    assert load_roster("callpool_agents.roster").first_stage("callpool").name == "greeting"


def test_an_unknown_dispatch_name_gets_the_first_agent() -> None:
    """A caller is answered, whatever name the dispatch has."""
    shop = roster(stage("a"), stage("b"), first={"one": "a", "two": "b"})
    assert shop.first_stage("two").name == "b"
    assert shop.first_stage("nobody").name == "a"


@pytest.mark.parametrize("name", ["no_such_module", "callpool.nowhere", "json"])
def test_what_is_no_roster_is_refused_by_name(name: str) -> None:
    """One line that names the setting and what would be valid."""
    with pytest.raises(SettingError, match=f"CALLPOOL_ROSTER is '{name}': expected a module with a ROSTER"):
        load_roster(name)


def test_what_a_roster_lacks_is_not_taken_for_the_roster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that the roster imports may have a name that the roster's begins with."""
    (tmp_path / "no_such").mkdir()
    (tmp_path / "no_such" / "roster.py").write_text("import no_suc\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingError, match=r"\(ModuleNotFoundError: No module named 'no_suc', .*line 1\)"):
        load_roster("no_such.roster")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("1 / 0\n", r"ZeroDivisionError: division by zero, .*faulty\.py, line 1"),
        ("def (\n", r"SyntaxError: .*faulty\.py, line 1"),
    ],
)
def test_a_fault_in_a_roster_is_named_in_one_line(
    text: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the place of it, since whoever reads the line wrote the roster."""
    (tmp_path / "faulty.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingError, match=rf"CALLPOOL_ROSTER is 'faulty': .*\({fault}\)") as refused:
        load_roster("faulty")
    assert "\n" not in str(refused.value)


async def test_a_roster_that_cannot_prepare_its_business_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker says so in one line, before any caller waits."""

    async def prepare(url: str) -> None:
        raise RuntimeError("no room left")

    module = types.ModuleType("unprepared")
    module.ROSTER = replace(roster(stage("a")), prepare=prepare)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "unprepared", module)
    chosen = settings.load({"CALLPOOL_ROSTER": "unprepared", "CALLPOOL_DATA_DIR": str(tmp_path)})
    with pytest.raises(SettingError, match=r"a roster whose prepare works \(RuntimeError: no room left"):
        await prepare_business(chosen)


def test_an_empty_roster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service without agents could answer nobody."""
    module = types.ModuleType("empty_roster")
    module.ROSTER = roster(first={})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "empty_roster", module)
    with pytest.raises(SettingError):
        load_roster("empty_roster")
