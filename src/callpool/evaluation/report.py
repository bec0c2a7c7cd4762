"""What came of the scenarios: a table for people, JSON for programs, JUnit for build servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from callpool.columns import columns
from callpool.evaluation.observed import ObservedCall, ObservedTool
from callpool.evaluation.scenario import Scenario
from callpool.store.record import Json

_NOT_XML = dict.fromkeys((*range(9), 11, 12, *range(14, 32)), "�")
"""Characters that no XML document may hold."""


@dataclass(frozen=True)
class Outcome:
    """One scenario, played."""

    scenario: Scenario
    call: ObservedCall
    failures: tuple[str, ...]
    """One line each; empty: it passed."""
    ms: float
    notes: tuple[str, ...] = ()
    """What was not checked, and why."""

    @property
    def passed(self) -> bool:
        return not self.failures


@dataclass(frozen=True)
class Report:
    """All scenarios of a run."""

    mode: str
    """`text` or `audio`."""
    model: str
    """The language model that answered, for people."""
    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def passed(self) -> int:
        """How many scenarios passed."""
        return sum(outcome.passed for outcome in self.outcomes)

    @property
    def failed(self) -> int:
        return len(self.outcomes) - self.passed

    def lines(self) -> list[str]:
        """The table, then what failed, then a sum."""
        rows = [("SCENARIO", "RESULT", "TURNS", "MS")]
        rows += [
            (
                outcome.scenario.name,
                "passed" if outcome.passed else "FAILED",
                f"{len(outcome.call.turns)}/{len(outcome.scenario.turns)}",
                f"{outcome.ms:.0f}",
            )
            for outcome in self.outcomes
        ]
        lines = columns(rows)
        for outcome in self.outcomes:
            if not outcome.passed:
                lines += ["", f"{outcome.scenario.name} ({outcome.scenario.file})"]
                lines += [f"  {failure}" for failure in outcome.failures]
        notes = sorted({note for outcome in self.outcomes for note in outcome.notes})
        return [*lines, "", *notes, self.summary()]

    def summary(self) -> str:
        failed = f", {self.failed} failed" if self.failed else ""
        count = len(self.outcomes)
        return (
            f"{count} scenario{'' if count == 1 else 's'} ({self.mode}, {self.model}): "
            f"{self.passed} passed{failed}, {self.seconds:.1f} s"
        )

    def document(self) -> dict[str, Json]:
        """The same as JSON data."""
        return {
            "mode": self.mode,
            "model": self.model,
            "passed": self.passed,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "scenarios": [_entry(outcome) for outcome in self.outcomes],
        }

    def junit(self) -> bytes:
        """The same as a JUnit file."""
        suite = ElementTree.Element(
            "testsuite",
            name=f"callpool eval ({self.mode})",
            tests=str(len(self.outcomes)),
            failures=str(self.failed),
            errors="0",
            skipped="0",
            time=f"{self.seconds:.3f}",
        )
        for outcome in self.outcomes:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=_xml(outcome.scenario.file),
                name=_xml(outcome.scenario.name),
                time=f"{outcome.ms / 1000:.3f}",
            )
            if outcome.failures:
                failure = ElementTree.SubElement(case, "failure", message=_xml(outcome.failures[0]))
                failure.text = _xml("\n".join(outcome.failures))
            output = ElementTree.SubElement(case, "system-out")
            output.text = _xml("\n".join((*transcript(outcome), *outcome.notes)))
        suites = ElementTree.Element("testsuites")
        suites.append(suite)
        ElementTree.indent(suites)
        return bytes(ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)) + b"\n"


def transcript(outcome: Outcome) -> list[str]:
    """The call as it went, line by line."""
    lines = [f"agent: {outcome.call.greeting}"] if outcome.call.greeting else []
    for turn, observed in zip(outcome.scenario.turns, outcome.call.turns, strict=False):
        lines.append(f"caller: {turn.label}")
        lines += [f"  tool {tool}" for tool in observed.tools]
        lines += [f"  stage {stage}" for stage in observed.entered]
        lines.append(f"agent: {observed.words or '(nothing)'}")
    if ending := outcome.call.ending:
        lines.append(f"ending: {ending.result}/{ending.reason}")
    return lines


def _entry(outcome: Outcome) -> dict[str, Json]:
    call = outcome.call
    return {
        "name": outcome.scenario.name,
        "file": outcome.scenario.file,
        "passed": outcome.passed,
        "ms": round(outcome.ms),
        "failures": list(outcome.failures),
        "notes": list(outcome.notes),
        "greeting": call.greeting,
        "stages": list(call.stages),
        "ending": {"result": call.ending.result, "reason": call.ending.reason} if call.ending else None,
        "turns": [
            {
                "caller": turn.label,
                "agent": observed.words,
                "stage": observed.ends_in,
                "entered": list(observed.entered),
                "tools": _tools(observed.tools),
                "first_words_ms": None
                if observed.first_words_ms is None
                else round(observed.first_words_ms, 1),
            }
            for turn, observed in zip(outcome.scenario.turns, call.turns, strict=False)
        ],
    }


def _tools(tools: Sequence[ObservedTool]) -> list[Json]:
    return [
        {
            "name": tool.name,
            "args": None if tool.args is None else {k: _json(v) for k, v in tool.args.items()},
        }
        for tool in tools
    ]


def _json(value: object) -> Json:
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _xml(text: str) -> str:
    return text.translate(_NOT_XML)
