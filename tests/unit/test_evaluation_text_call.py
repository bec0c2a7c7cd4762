"""A scenario in text, held by a small roster over a scripted model."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.agents import Agent, FunctionTool, RunContext, function_tool

from callpool import ending
from callpool.call import Call
from callpool.evaluation.observed import ObservedCall
from callpool.evaluation.scenario import CallerTurn, Scenario
from callpool.evaluation.text_call import Service, TextCall
from callpool.hand_off import Handover, StageAgent, hand_off
from callpool.identification import Identification
from callpool.settings import Settings
from callpool.stages import Roster, Stage
from scripted_model import Says, ScriptedModel

GREETING = "Hello and welcome to the bakery, how can I help you today?"


def passing_on(name: str, to: str) -> FunctionTool[Any, Any]:
    @function_tool(name=name, description=f"Go to {to}.")
    async def tool(ctx: RunContext[Call], loaves: int = 0) -> Agent:
        return await hand_off(ctx, to)

    return tool


class Counter(StageAgent):
    def __init__(self, handover: Handover) -> None:
        super().__init__(
            handover, name="counter", prompt=lambda call: "Sell.", tools=[passing_on("bake", "oven")]
        )


class Oven(StageAgent):
    def __init__(self, handover: Handover) -> None:
        super().__init__(
            handover, name="oven", prompt=lambda call: "Bake.", tools=[passing_on("leave", "door")]
        )


class Door(StageAgent):
    def __init__(self, handover: Handover) -> None:
        super().__init__(handover, name="door", prompt=lambda call: "Bye.", tools=[])

    async def on_enter(self) -> None:
        self.call.end(ending.GOODBYE)
        self.session.say("Goodbye.", allow_interruptions=False).add_done_callback(
            lambda _: self.session.shutdown()
        )


BAKERY: Roster[Any, Any] = Roster(
    stages=(
        Stage("counter", Counter, greeting=lambda call: GREETING),
        Stage("oven", Oven),
        Stage("door", Door),
    ),
    first={"callpool": "counter"},
    transitions={"counter": ("oven",), "oven": ("door",)},
    open_business=lambda url: None,
)


async def hold(*turns: CallerTurn, script: tuple[Says, ...] = ()) -> tuple[ObservedCall, ScriptedModel]:
    model = ScriptedModel(*script)
    service = Service(BAKERY, None, model, Settings(), Identification(("en",)))
    scenario = Scenario("s", "s.yaml", turns)
    return await TextCall(service, scenario, "c1").hold(), model


async def test_an_answer_is_awaited_through_its_hand_offs() -> None:
    """What the next agent says belongs to the turn whose words led to it."""
    call, _ = await hold(
        CallerTurn(say="Bread, please."),
        script=(Says(tool="bake", arguments={"loaves": 2}), Says("It is in the oven.")),
    )
    assert call.greeting == GREETING
    (turn,) = call.turns
    assert (turn.begins_in, turn.ends_in, turn.entered) == ("counter", "oven", ["oven"])
    assert turn.said == ["It is in the oven."]
    assert [(tool.name, tool.args) for tool in turn.tools] == [("bake", {"loaves": 2})]
    assert turn.first_words_ms is not None
    assert call.stages == ["counter", "oven"]
    assert call.ending == ending.CALLER_LEFT


async def test_a_call_that_the_agent_ends_is_over_for_the_caller() -> None:
    """The turns that are left do not take place, and the agent's last words belong to the turn before."""
    call, _ = await hold(
        CallerTurn(say="Bread, please."),
        CallerTurn(say="That is all."),
        CallerTurn(say="Are you there?"),
        script=(Says(tool="bake"), Says("It is in the oven."), Says(tool="leave")),
    )
    assert len(call.turns) == 2
    assert call.turns[1].words == "Goodbye."
    assert call.ending == ending.GOODBYE


async def test_what_the_caller_talks_over_was_not_said() -> None:
    """The greeting is cut where the caller begins, and the model is not told the rest of it."""
    call, model = await hold(CallerTurn(say="Bread!", interrupt_after_s=1.0), script=(Says("At once."),))
    said = model.asked[0].words[0][1]
    assert GREETING.startswith(said)
    assert 10 <= len(said) <= 25
    assert call.greeting == said
    assert call.turns[0].words == "At once."


async def test_an_answer_that_is_over_cannot_be_talked_over() -> None:
    """A caller who begins after the last word hears the whole answer."""
    call, model = await hold(CallerTurn(say="Bread!", interrupt_after_s=60), script=(Says("At once."),))
    assert model.asked[0].words[0][1] == GREETING
    assert call.greeting == GREETING


async def test_a_model_that_fails_is_trouble_of_its_turn() -> None:
    """The scenario goes on to its end, and the turn tells what was wrong."""
    call, _ = await hold(CallerTurn(say="Bread!"))
    assert "the script has no answer" in call.turns[0].trouble


@pytest.mark.parametrize("language", ["", "de"])
async def test_a_call_begins_in_the_language_of_the_scenario(language: str) -> None:
    """As if the caller had asked for it on the page; without one, it is to be found out."""
    service = Service(BAKERY, None, ScriptedModel(), Settings(), Identification(("en", "de")))
    call = TextCall(service, Scenario("s", "s.yaml", (), language=language), "c1").call
    assert call.language == (language or "en")
    assert call.chose_language == bool(language)


async def test_an_answer_is_cut_after_its_tools_have_run() -> None:
    """What the caller talks over is the answer itself: the hand-off before it has taken place."""
    call, model = await hold(
        CallerTurn(say="Bread, please."),
        CallerTurn(say="Rolls, I mean!", interrupt_after_s=0.5),
        script=(
            Says("One moment, please.", tool="bake"),
            Says("It is in the oven, and will be ready in a few minutes."),
            Says("Rolls then."),
        ),
    )
    assert call.turns[0].ends_in == "oven"
    assert call.turns[0].said[-1] == "It is in"
    assert ("assistant", "It is in") in model.asked[-1].words
    assert call.turns[1].words == "Rolls then."
