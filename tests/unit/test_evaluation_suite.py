"""`callpool eval`, from its arguments to its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from callpool import settings
from callpool.cli import main

ROSTER = '''
"""A parrot."""

import asyncio
import sqlite3

from livekit.agents import RunContext, function_tool

from callpool import ending
from callpool.call import Call
from callpool.hand_off import StageAgent
from callpool.stages import Roster, Stage


class Parrot(StageAgent):
    def __init__(self, handover):
        @function_tool
        async def end_call(ctx: RunContext[Call]) -> None:
            """End the call silently. Call this when the caller says goodbye."""
            ctx.userdata.end(ending.GOODBYE)
            with sqlite3.connect(handover.business) as connection:
                connection.execute("INSERT INTO goodbyes VALUES (1)")
            ctx.session.say("Goodbye.").add_done_callback(lambda _: ctx.session.shutdown())

        super().__init__(handover, name="parrot", prompt=lambda call: "Repeat.", tools=[end_call])


async def prepare(url):
    with sqlite3.connect(url.partition("///")[2]) as connection:
        connection.execute("CREATE TABLE goodbyes (n INTEGER)")


ROSTER = Roster(
    stages=(Stage("parrot", Parrot, greeting=lambda call: "Hello, I am a parrot."),),
    first={"callpool": "parrot"},
    transitions={},
    open_business=lambda url: url.partition("///")[2],
    prepare=prepare,
)
'''
GOOD = """
- name: good bye
  turns: [{say: Goodbye., expect: {tools: [end_call], says: goodbye}}]
  rows: {sql: SELECT count(*) FROM goodbyes, equals: 1}
  ending: completed/goodbye
- name: good day
  turns: [{expect: {says: parrot}}]
  rows: {sql: SELECT count(*) FROM goodbyes, equals: 0}
  ending: abandoned
"""
BAD = "{name: bad day, turns: [{say: Goodbye., expect: {says: nevermore}}]}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with the parrot and its scenarios."""
    package = tmp_path / "parrot_roster"
    (package / "scenarios").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "roster.py").write_text(ROSTER)
    (package / "scenarios" / "good.yaml").write_text(GOOD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    for _, _, entry in settings.fields():
        monkeypatch.delenv(entry.metadata["env"], raising=False)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("parrot_roster")]:
        del sys.modules[name]


def evaluate(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["callpool", "eval", "--roster", "parrot_roster.roster", *arguments])
    with pytest.raises(SystemExit) as exit:
        main()
    return int(exit.value.code or 0)


def test_the_scenarios_beside_the_roster_are_the_default(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each has a database of its own, so that none sees what another one changed."""
    assert evaluate(monkeypatch) == 0
    out = capsys.readouterr().out
    assert "good bye  passed  1/1" in out
    assert "2 scenarios (text, local stand-in): 2 passed" in out


def test_one_failure_fails_the_run_and_is_told_everywhere(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code, JSON and JUnit agree."""
    (folder / "bad.yaml").write_text(BAD)
    code = evaluate(monkeypatch, "bad.yaml", "parrot_roster/scenarios", "--json", "--junit", "out.xml")
    assert code == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["passed"], document["failed"]) == (2, 1)
    (failure,) = document["scenarios"][0]["failures"]
    assert failure.startswith('turn 1 ("Goodbye."): says: expected \'nevermore\', was said: "Goodbye')
    suite = ElementTree.parse(folder / "out.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == "1"


def test_a_word_chooses_scenarios(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By their names; one that no scenario has is refused, since nothing tested is no success."""
    assert evaluate(monkeypatch, "-k", "DAY") == 0
    assert "1 scenario (text" in capsys.readouterr().out
    assert evaluate(monkeypatch, "-k", "night") == 2
    assert "-k is 'night': expected a word in the name of a scenario: good bye, good day" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.yaml",), "PATH is 'nowhere.yaml': expected a scenario file"),
        (("broken.yaml",), "broken.yaml: turns[1]: a key is 'sya': expected one of say"),
        (("--junit", "no/such/out.xml"), "--junit is 'no/such/out.xml'"),
        (("french.yaml",), "french.yaml: language is 'fr': expected one of en, de, es"),
        (("--profile", "nonesuch"), "--profile is 'nonesuch': expected one of"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    """Exit code 2, and nothing was played."""
    (folder / "broken.yaml").write_text("turns: [{sya: hi}]")
    (folder / "french.yaml").write_text("{language: fr, turns: [salut]}")
    assert evaluate(monkeypatch, *arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("flags", "why"), [((), "give --judge"), (("--judge",), "no real language model")])
def test_criteria_that_nobody_judged_are_named(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: tuple[str, ...],
    why: str,
) -> None:
    """The stand-in is no judge, and a criterion is not met by being skipped."""
    (folder / "judged.yaml").write_text("{name: judged, turns: [Goodbye.], judge: It is polite.}")
    assert evaluate(monkeypatch, "judged.yaml", *flags) == 0
    assert f"NOT JUDGED: judged: {why}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("works", "fails", "step"),
    [
        ("async def prepare(url):\n", "async def prepare(url):\n    raise OSError('no disk')\n", "prepare"),
        ('lambda url: url.partition("///")[2]', "lambda url: [][0]", "open_business"),
    ],
)
def test_a_roster_without_a_business_is_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    works: str,
    fails: str,
    step: str,
) -> None:
    """Exit code 2, with the roster, the step that failed and why."""
    assert works in ROSTER
    (folder / "parrot_roster" / "roster.py").write_text(ROSTER.replace(works, fails))
    assert evaluate(monkeypatch) == 2
    err = capsys.readouterr().err
    assert f"CALLPOOL_ROSTER is 'parrot_roster.roster': expected a roster whose {step} works (" in err
    assert err.count("\n") == 1
