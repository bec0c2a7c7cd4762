"""How a roster is found."""

import sys
import types
from pathlib import Path

import pytest

from callpool.errors import SettingError
from callpool.stages import Roster, Stage, load_roster


def stage(name: str) -> Stage[str, None]:
    return Stage(name=name, agent=lambda call, business: name, greeting=lambda call: "Hello.")


def test_the_shipped_roster_loads() -> None:
    """The default of CALLPOOL_ROSTER is a roster."""
    assert load_roster("callpool_agents.roster").first_stage("callpool").name == "reception"


def test_an_unknown_dispatch_name_gets_the_first_agent() -> None:
    """A caller is answered, whatever name the dispatch has."""
    roster: Roster[str, None] = Roster(first={"a": stage("a"), "b": stage("b")}, open_business=lambda: None)
    assert roster.first_stage("b").name == "b"
    assert roster.first_stage("nobody").name == "a"


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
    with pytest.raises(ModuleNotFoundError, match="'no_suc'"):
        load_roster("no_such.roster")


def test_an_empty_roster_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service without agents could answer nobody."""
    module = types.ModuleType("empty_roster")
    module.ROSTER = Roster(first={}, open_business=lambda: None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "empty_roster", module)
    with pytest.raises(SettingError):
        load_roster("empty_roster")
