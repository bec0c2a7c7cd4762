"""Criteria that a language model judges."""

from __future__ import annotations

from dataclasses import replace

from callpool.evaluation.judging import judge
from callpool.evaluation.observed import ObservedCall, ObservedTool, ObservedTurn
from callpool.evaluation.scenario import CallerTurn, Expectation, Scenario
from scripted_model import Says, ScriptedModel

CALL = ObservedCall(
    greeting="Hello!",
    turns=[
        ObservedTurn(
            "greeting", tools=[ObservedTool("lookup_order", {"order_number": "1"})], said=["Shipped."]
        ),
        ObservedTurn("greeting", said=["Bye."]),
    ],
)
SCENARIO = Scenario("s", "f", (CallerTurn(say="Where is it?"), CallerTurn(dtmf="1#")))


def verdict(word: str) -> Says:
    return Says(tool="submit_verdict", arguments={"verdict": word, "reasoning": "because\nof it"})


async def test_a_criterion_that_is_met_is_no_failure() -> None:
    """The model reads the whole call, with the tools that were used."""
    model = ScriptedModel(verdict("pass"))
    assert await judge(replace(SCENARIO, judge=("is polite",)), CALL, model) == []
    (asked,) = model.asked
    prompt = asked.words[-1][1]
    for part in ("is polite", "Hello!", "Where is it?", "lookup_order", "Shipped.", "(keys 1#)", "Bye."):
        assert part in prompt


async def test_a_criterion_of_a_turn_is_judged_by_what_was_said_until_then() -> None:
    """What comes later does not count for it."""
    turn = replace(SCENARIO.turns[0], expect=Expectation(judge=("is short",)))
    model = ScriptedModel(verdict("fail"))
    failures = await judge(replace(SCENARIO, turns=(turn, SCENARIO.turns[1])), CALL, model)
    assert failures == ["turn 1 (\"Where is it?\"): judge: 'is short': fail: because of it"]
    assert "Bye." not in model.asked[0].words[-1][1]


async def test_neither_maybe_nor_silence_is_a_pass() -> None:
    """A criterion is met when the model says so."""
    model = ScriptedModel(verdict("maybe"), Says("I would rather not."))
    failures = await judge(replace(SCENARIO, judge=("is kind", "is quick")), CALL, model)
    assert failures == [
        "call: judge: 'is kind': maybe: because of it",
        "call: judge: 'is quick' could not be judged: the model gave no verdict",
    ]
