"""What the report says to people, programs and build servers."""

from __future__ import annotations

from xml.etree import ElementTree

from callpool import ending
from callpool.evaluation.observed import ObservedCall, ObservedTool, ObservedTurn
from callpool.evaluation.report import Outcome, Report
from callpool.evaluation.scenario import CallerTurn, Scenario


def outcome(name: str, *failures: str, notes: tuple[str, ...] = ()) -> Outcome:
    turn = ObservedTurn(
        begins_in="greeting",
        ends_in="closing",
        entered=["closing"],
        tools=[ObservedTool("end_call", {"a": 1}), ObservedTool("x", None)],
        said=["Bye \x07 & <farewell>."],
        first_words_ms=12.34,
    )
    call = ObservedCall("Hello!", [turn], ["greeting", "closing"], ending.GOODBYE)
    return Outcome(Scenario(name, "a.yaml", (CallerTurn(say="bye"),)), call, failures, 1234.5, notes)


REPORT = Report(
    "text",
    "some model",
    (outcome("good"), outcome("bad", "turn 1: stage: expected a, was b", "call: ending", notes=("NOTE",))),
    2.5,
)


def test_the_table_names_what_failed_below_it() -> None:
    """A line a scenario, then the failures, then what was not checked, then the sum."""
    assert REPORT.lines() == [
        "SCENARIO  RESULT  TURNS  MS",
        "good      passed  1/1    1234",
        "bad       FAILED  1/1    1234",
        "",
        "bad (a.yaml)",
        "  turn 1: stage: expected a, was b",
        "  call: ending",
        "",
        "NOTE",
        "2 scenarios (text, some model): 1 passed, 1 failed, 2.5 s",
    ]


def test_junit_holds_a_case_for_each_scenario() -> None:
    """With the failures, the call as it went, and nothing that XML forbids."""
    suite = ElementTree.fromstring(REPORT.junit()).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    good, bad = suite.findall("testcase")
    assert (good.get("name"), good.get("classname"), good.find("failure")) == ("good", "a.yaml", None)
    failure = bad.find("failure")
    assert failure is not None
    assert failure.get("message") == "turn 1: stage: expected a, was b"
    assert failure.text == "turn 1: stage: expected a, was b\ncall: ending"
    output = good.findtext("system-out") or ""
    assert "agent: Hello!" in output
    assert "& <farewell>" in output
    assert "ending: completed/goodbye" in output


def test_the_document_tells_the_call() -> None:
    """Turns with what was said and done, so that a program need not parse the table."""
    document = REPORT.document()
    assert (document["passed"], document["failed"]) == (1, 1)
    scenarios = document["scenarios"]
    assert isinstance(scenarios, list)
    entry = scenarios[0]
    assert isinstance(entry, dict)
    assert entry["stages"] == ["greeting", "closing"]
    assert entry["ending"] == {"result": "completed", "reason": "goodbye"}
    assert entry["turns"] == [
        {
            "caller": '"bye"',
            "agent": "Bye \x07 & <farewell>.",
            "stage": "closing",
            "entered": ["closing"],
            "tools": [{"name": "end_call", "args": {"a": 1}}, {"name": "x", "args": None}],
            "first_words_ms": 12.3,
        }
    ]
