"""Holds what happened against what a scenario expects. A failure is one line: what, where, what instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from callpool.evaluation.observed import ObservedCall, ObservedTool, ObservedTurn
from callpool.evaluation.scenario import CallerTurn, Expectation, Plain, Scenario, ToolExpectation
from callpool.evaluation.wording import is_said, same

SHOWN_CHARACTERS = 400


def check(scenario: Scenario, call: ObservedCall) -> list[str]:
    """What of the scenario did not come true, rows and judgements aside; empty when all did."""
    failures: list[str] = []
    for number, turn in enumerate(scenario.turns, 1):
        where = f"turn {number} ({turn.label})"
        if number > len(call.turns):
            if _only_words_are_left(scenario, number, call):
                break
            failures.append(f"{where}: did not take place: {_over(call)}")
            break
        observed = call.turns[number - 1]
        if observed.trouble:
            failures.append(f"{where}: {observed.trouble}")
        failures += [f"{where}: {failure}" for failure in _check_turn(turn, observed, call, number)]
    failures += [f"call: {failure}" for failure in _check_call(scenario, call)]
    return failures


def _only_words_are_left(scenario: Scenario, number: int, call: ObservedCall) -> bool:
    """Whether the call ended as it should, and nothing was expected of the turns from `number` on."""
    ended = call.ending is not None and call.ending.result == scenario.result
    return ended and all(turn.expect == Expectation() for turn in scenario.turns[number - 1 :])


def _over(call: ObservedCall) -> str:
    if call.ending is None:
        return "the call was over before"
    return f"the call was over before ({call.ending.result}/{call.ending.reason})"


def _check_turn(turn: CallerTurn, observed: ObservedTurn, call: ObservedCall, number: int) -> Iterator[str]:
    expect = turn.expect
    words = observed.words
    if number == 1 and not (turn.say or turn.dtmf or turn.silence_s):
        words = call.greeting  # a first turn in which the caller only listens
    yield from _check_stage(expect, observed)
    if expect.tools is not None:
        yield from _check_tools(expect.tools, observed.tools)
    yield from _check_never_tools(expect.never_tools, observed.tools)
    yield from _check_words(expect.says, expect.never_says, words)
    if expect.within_ms is not None:
        if observed.first_words_ms is None:
            yield f"within_ms: expected an answer within {expect.within_ms:g} ms, there was none"
        elif observed.first_words_ms > expect.within_ms:
            yield (
                f"within_ms: expected an answer within {expect.within_ms:g} ms, "
                f"it came after {observed.first_words_ms:.0f} ms"
            )


def _check_stage(expect: Expectation, observed: ObservedTurn) -> Iterator[str]:
    way = [observed.begins_in, *observed.entered]
    if expect.stage and expect.stage != observed.ends_in:
        yield f"stage: expected {expect.stage}, was {observed.ends_in} (by way of {' → '.join(way)})"
    if expect.stages and not _in_order(expect.stages, way):
        yield f"stage: expected {' → '.join(expect.stages)}, was {' → '.join(way)}"


def _check_call(scenario: Scenario, call: ObservedCall) -> Iterator[str]:
    if scenario.stages and not _in_order(scenario.stages, call.stages):
        yield f"stages: expected {' → '.join(scenario.stages)}, were {' → '.join(call.stages)}"
    yield from _check_words(scenario.says, scenario.never_says, call.words)
    yield from _check_never_tools(scenario.never_tools, [tool for turn in call.turns for tool in turn.tools])
    result = call.ending.result if call.ending else "none"
    reason = call.ending.reason if call.ending else "none"
    wanted = "/".join(filter(None, (scenario.result, scenario.reason)))
    if (scenario.result and scenario.result != result) or (scenario.reason and scenario.reason != reason):
        yield f"ending: expected {wanted}, was {result}/{reason}"


def _check_words(says: Sequence[str], never_says: Sequence[str], words: str) -> Iterator[str]:
    for wanted in says:
        if not is_said(wanted, words):
            yield f"says: expected {wanted!r}, was said: {_shown(words)}"
    for unwanted in never_says:
        if is_said(unwanted, words):
            yield f"never_says: {unwanted!r} was said: {_shown(words)}"


def _check_tools(wanted: Sequence[ToolExpectation], called: Sequence[ObservedTool]) -> Iterator[str]:
    found = ", ".join(map(str, called)) or "none"
    if not wanted and called:
        yield f"tools: expected none, called: {found}"
    rest = list(called)
    for tool in wanted:
        place = next((index for index, use in enumerate(rest) if matches(tool, use)), None)
        if place is None:
            yield f"tools: expected {_tool_shown(tool)}, called: {found}"
            return
        del rest[: place + 1]


def _check_never_tools(unwanted: Sequence[ToolExpectation], called: Sequence[ObservedTool]) -> Iterator[str]:
    for tool in unwanted:
        if use := next((use for use in called if matches(tool, use)), None):
            yield f"never_tools: {_tool_shown(tool)} was called: {use}"


def matches(wanted: ToolExpectation, used: ObservedTool) -> bool:
    """Whether a tool's use is the one wanted, by its name and, where they are known, by its arguments."""
    if wanted.name != used.name:
        return False
    return used.args is None or all(
        name in used.args and agrees(value, used.args[name]) for name, value in wanted.args.items()
    )


def agrees(wanted: Plain, actual: Any) -> bool:
    """Whether an argument is the one wanted: texts as `wording.same` compares them, numbers by value."""
    match wanted:
        case None | bool():
            return wanted is actual
        case int() | float():
            if isinstance(actual, int | float):
                return wanted == actual
            return isinstance(actual, str) and same(str(wanted), actual)
        case str():
            return same(wanted, str(actual))
        case list():
            return (
                isinstance(actual, list) and len(wanted) == len(actual) and all(map(agrees, wanted, actual))
            )
        case dict():
            return isinstance(actual, Mapping) and all(
                name in actual and agrees(value, actual[name]) for name, value in wanted.items()
            )


def _in_order(wanted: Iterable[str], found: Iterable[str]) -> bool:
    rest = iter(found)
    return all(stage in rest for stage in wanted)


def _tool_shown(tool: ToolExpectation) -> str:
    return f"{tool.name}({', '.join(f'{name}={value!r}' for name, value in tool.args.items())})"


def _shown(words: str) -> str:
    if not words:
        return "nothing"
    return f'"{words}"' if len(words) <= SHOWN_CHARACTERS else f'"{words[:SHOWN_CHARACTERS]}…"'
