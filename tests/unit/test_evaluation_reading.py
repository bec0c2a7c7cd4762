"""Scenario files: every form that is documented, and one line for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from callpool.errors import SettingError
from callpool.evaluation.reading import read_file, read_paths
from callpool.evaluation.scenario import CallerTurn, Expectation, RowCheck, ToolExpectation

EVERYTHING = """
name: everything
description: all keys at once
language: de
turns:
  - say: no
  - say: 2026-12-02 or 12:30
    interrupt_after_s: 1.5
    expect:
      stage: verification
      tools: [lookup_order, {name: verify_caller, args: {order_number: 12345, name: James}}]
      says: /ship(ped)?/
      never_says: [Mary, 89]
      within_ms: 900
      judge: is polite
  - dtmf: 01234#
    silence_s: 3
    expect: {stage: [greeting, closing], tools: []}
  - Good morning
rows:
  - {sql: SELECT 1, equals: 1}
  - {sql: SELECT 2, equals: [[a, null], {b: 1.5}]}
ending: completed/goodbye
stages: [greeting, closing]
says: hello
never_says: secret
judge: [fast, kind]
"""


def write(folder: Path, text: str, name: str = "one.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    """Words that YAML takes for something else stay the words that they are."""
    (scenario,) = read_file(write(tmp_path, EVERYTHING))
    assert scenario.name == "everything"
    assert scenario.language == "de"
    assert scenario.turns == (
        CallerTurn(say="no"),
        CallerTurn(
            say="2026-12-02 or 12:30",
            interrupt_after_s=1.5,
            expect=Expectation(
                stage="verification",
                tools=(
                    ToolExpectation("lookup_order"),
                    ToolExpectation("verify_caller", {"order_number": 12345, "name": "James"}),
                ),
                says=("/ship(ped)?/",),
                never_says=("Mary", "89"),
                within_ms=900.0,
                judge=("is polite",),
            ),
        ),
        CallerTurn(
            dtmf="01234#", silence_s=3.0, expect=Expectation(stages=("greeting", "closing"), tools=())
        ),
        CallerTurn(say="Good morning"),
    )
    assert scenario.rows == (RowCheck("SELECT 1", 1), RowCheck("SELECT 2", [["a", None], {"b": 1.5}]))
    assert (scenario.result, scenario.reason) == ("completed", "goodbye")
    assert scenario.stages == ("greeting", "closing")
    assert (scenario.says, scenario.never_says, scenario.judge) == (("hello",), ("secret",), ("fast", "kind"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("turns: [hello]", ["one"]),
        ("{name: a, turns: [hello]}", ["a"]),
        ("- {name: a, turns: [hello]}\n- {turns: [hello]}", ["a", "one 2"]),
        ("name: a\nturns: [hello]\n---\nname: b\nturns: [hello]\n", ["a", "b"]),
    ],
)
def test_a_file_holds_one_scenario_a_list_or_several_documents(
    tmp_path: Path, text: str, names: list[str]
) -> None:
    """A scenario without a name is called after its file."""
    assert [scenario.name for scenario in read_file(write(tmp_path, text))] == names


@pytest.mark.parametrize(
    ("ending", "read"),
    [
        ("transferred", ("transferred", None)),
        ("completed/goodbye", ("completed", "goodbye")),
        ("{result: abandoned, reason: caller_left}", ("abandoned", "caller_left")),
        ("{result: completed}", ("completed", None)),
    ],
)
def test_an_ending_is_a_result_with_or_without_a_reason(
    tmp_path: Path, ending: str, read: tuple[str, str | None]
) -> None:
    """All documented forms mean the same."""
    (scenario,) = read_file(write(tmp_path, f"turns: [hi]\nending: {ending}"))
    assert (scenario.result, scenario.reason) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one.yaml is 'empty'"),
        ("hello", "one.yaml is 'hello': expected a mapping with name"),
        ("turns: [hi]\nturn: 1", "one.yaml: a key is 'turn': expected one of name,"),
        ("name: x", "one.yaml: turns is not set: expected a list of turns"),
        ("turns: []", "one.yaml: turns is []"),
        ("turns: [{sya: hi}]", "one.yaml: turns[1]: a key is 'sya': expected one of say, dtmf"),
        ("turns: [{}]", "one.yaml: turns[1] is {}: expected a turn with say"),
        ("turns: [hi, {dtmf: 12x}]", "one.yaml: turns[2].dtmf is '12x': expected keys of a telephone"),
        ("turns: [{silence_s: soon}]", "one.yaml: turns[1].silence_s is 'soon': expected a number from 0"),
        (
            "turns: [{silence_s: 3, interrupt_after_s: 1}]",
            "turns[1].interrupt_after_s is 1.0: expected a turn",
        ),
        ("turns: [{say: hi, expect: {stge: x}}]", "turns[1].expect: a key is 'stge': expected one of stage"),
        (
            "turns: [{say: hi, expect: {says: /(/}}]",
            "turns[1].expect.says is '/(/': expected words, or a reg",
        ),
        ("turns: [{say: hi, expect: {tools: [3]}}]", "turns[1].expect.tools[1] is 3: expected a mapping"),
        ("turns: [{say: hi, expect: {tools: [{name: a, args: 3}]}}]", "expect.tools[1].args is 3: expected"),
        ("turns: [{say: hi, expect: {within_ms: -1}}]", "expect.within_ms is -1: expected a number from 0"),
        ("turns: [hi]\nrows: [{sql: SELECT 1}]", "rows[1].equals is not set: expected a value, a row"),
        ("turns: [hi]\nrows: [{equals: 1}]", "rows[1].sql is None: expected text"),
        ("turns: [hi]\nending: finished", "ending.result is 'finished': expected one of completed"),
        ("turns: [hi]\nending: completed/bye", "ending.reason is 'bye': expected one of goodbye"),
        ("turns: [hi]\nlanguage: English", "language is 'English': expected a language such as en"),
        ("turns: [hi\n", "one.yaml is 'unreadable': expected a YAML file with a scenario"),
        ("- turns: [hi]\n- turns: [{sya: hi}]", "one.yaml: [2].turns[1]: a key is 'sya'"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    """File, place, value, and what would be valid."""
    with pytest.raises(SettingError) as wrong:
        read_file(write(tmp_path, text))
    assert message in str(wrong.value)
    assert "\n" not in str(wrong.value)
    assert wrong.value.exit_code == 2


def test_folders_are_searched_for_scenario_files(tmp_path: Path) -> None:
    """In the order of their names, folders within included, other files left alone."""
    (tmp_path / "sub").mkdir()
    write(tmp_path, "{name: b, turns: [hi]}", "b.yml")
    write(tmp_path, "{name: a, turns: [hi]}", "a.yaml")
    write(tmp_path, "{name: c, turns: [hi]}", "sub/c.yaml")
    write(tmp_path, "not: [a scenario", "notes.txt")
    assert [scenario.name for scenario in read_paths([tmp_path])] == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["missing.yaml", "empty"])
def test_a_path_without_scenarios_is_refused(tmp_path: Path, name: str) -> None:
    """Zero scenarios are no success."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingError, match="PATH"):
        read_paths([tmp_path / name])


def test_a_list_may_have_its_name_and_tools_may_be_forbidden(tmp_path: Path) -> None:
    """One tool or a list, in a turn and in the whole call."""
    file = tmp_path / "named.yaml"
    file.write_text(
        "scenarios:\n"
        "- turns: [{say: hi, expect: {never_tools: end_call}}]\n"
        "  never_tools: [note_details, {name: reorder, args: {quantity: 2}}]\n"
    )
    (scenario,) = read_file(file)
    assert scenario.turns[0].expect.never_tools == (ToolExpectation("end_call"),)
    assert scenario.never_tools == (
        ToolExpectation("note_details"),
        ToolExpectation("reorder", {"quantity": 2}),
    )
