"""What the next agent is given, and what it does with it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, RunContext, function_tool

from callpool.call import Call
from callpool.hand_off import MOST_MOVES, Conversation, Handover, Models, StageAgent, hand_off
from callpool.stages import Roster, Stage
from callpool.store.record import StageEntry
from scripted_model import Says, ScriptedModel


def agent(name: str, *follows: str) -> Callable[[Handover], StageAgent]:
    """An agent with a tool `to_X` for each stage X that it tries to hand off to."""

    def tool(to: str) -> Any:
        @function_tool(name=f"to_{to}")
        async def move(ctx: RunContext[Call]) -> Agent:
            """Move on."""
            ctx.userdata.state["from"] = name
            return await hand_off(ctx, to)

        return move

    def prompt(call: Call) -> str:
        return f"# {name}\n{call.language} {call.state}"

    def make(handover: Handover) -> StageAgent:
        return StageAgent(handover, prompt=prompt, tools=[tool(to) for to in follows], name=name)

    return make


def stage(
    name: str,
    *follows: str,
    satisfied: Callable[[Call, str], Awaitable[bool]] | None = None,
    then: str = "",
) -> Stage[StageAgent, str]:
    return Stage(name, agent(name, *follows), greeting=lambda _: "Hello.", satisfied=satisfied, then=then)


async def always(call: Call, business: str) -> bool:
    return business == "the business"


ROSTER: Roster[StageAgent, str] = Roster(
    stages=(
        stage("hall", "desk", "office", "cellar"),
        stage("desk", satisfied=always, then="office"),
        stage("office", "hall"),
        stage("cellar"),
    ),
    first={"callpool": "hall"},
    transitions={"hall": ("desk", "office"), "desk": ("office",), "office": ("hall",)},
    open_business=lambda _: "the business",
)


class Talk:
    """A conversation in text."""

    def __init__(self, model: ScriptedModel, session: AgentSession[Call], stages: list[StageEntry]) -> None:
        self.model = model
        self.session = session
        self.stages = stages

    async def say(self, words: str) -> str:
        """Say something, and give the last words of the answer."""
        result = await self.session.run(user_input=words)
        messages = [event.item for event in result.events if event.type == "message"]
        return messages[-1].text_content or "" if messages else ""


@asynccontextmanager
async def talk(*answers: Any, models: Models | None = None) -> AsyncIterator[Talk]:
    model = ScriptedModel(*answers)
    call = Call("c_1", room="call-1", agent_name="callpool", state={})
    entered: list[StageEntry] = []
    conversation = Conversation(
        call, ROSTER, "the business", on_stage=entered.append, models=lambda _: models or Models("plain")
    )
    async with AgentSession[Call](llm=model, userdata=call) as session:
        await session.start(conversation.begin())
        yield Talk(model, session, entered)


async def test_the_next_agent_answers_the_sentence_that_led_to_it() -> None:
    """With the words and the state of the call, and nothing of the tools."""
    async with talk(Says(text="One moment.", tool="to_office"), Says("You said blue.")) as call:
        assert await call.say("The blue one, please.") == "You said blue."
        last = call.model.asked[-1]
    assert last.words == (("user", "The blue one, please."), ("assistant", "One moment."))
    assert last.kinds == {"message"}
    assert last.instructions == "# office\nen {'from': 'hall'}", "the old agent's instructions are gone"
    assert last.tools == {"to_hall"}
    assert [entry.stage for entry in call.stages] == ["hall", "office"]


async def test_a_stage_that_is_passed_through_is_recorded_as_skipped() -> None:
    """Its agent is never made, and asks nothing."""
    async with talk(Says(tool="to_desk"), Says("Here is the office.")) as call:
        assert await call.say("To the desk.") == "Here is the office."
    assert [(entry.stage, entry.skipped, entry.profile) for entry in call.stages] == [
        ("hall", False, "plain"),
        ("desk", True, None),
        ("office", False, "plain"),
    ]


async def test_a_call_may_go_back() -> None:
    """Where the table says so; what was said in between is known there."""
    async with talk(
        Says(tool="to_office"), Says("The office."), Says(tool="to_hall"), Says("The hall again.")
    ) as call:
        await call.say("Up.")
        assert await call.say("No, back.") == "The hall again."
        assert [words for _, words in call.model.asked[-1].words] == ["Up.", "The office.", "No, back."]
        assert call.session.userdata.stage == "hall"


async def test_an_illegal_hand_off_is_refused_logged_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The model reads what is legal, and the call stays where it was."""
    caplog.set_level(logging.WARNING, "callpool.hand_off")
    async with talk(Says(tool="to_cellar"), Says("I cannot do that.")) as call:
        result = await call.session.run(user_input="To the cellar!")
        result.expect.next_event().is_function_call(name="to_cellar")
        output = result.expect.next_event().is_function_call_output(is_error=True).event().item.output
        assert output == (
            "The call cannot go from hall to cellar. Stages that may follow hall: desk, office."
        )
        assert call.session.userdata.stage == "hall"
        assert call.session.userdata.refused_hand_offs == 1
    [record] = [each for each in caplog.records if each.name == "callpool.hand_off"]
    assert (record.action, record.stage, record.to) == ("hand_off_refused", "hall", "cellar")  # type: ignore[attr-defined]


@pytest.mark.parametrize("spoke", ["before", "after"])
async def test_a_hand_off_that_the_caller_talks_over_has_not_happened(
    spoke: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK drops the agent: the call is where it was, and can be handed off in the next turn."""
    move_on = Conversation.move_on

    async def interrupted(self: Conversation, *args: Any) -> Agent:
        made = await move_on(self, *args)
        call.session.interrupt()
        return made

    async with talk(Says(tool="to_office"), Says(tool="to_office"), Says("The office.")) as call:
        if spoke == "after":
            monkeypatch.setattr(Conversation, "move_on", interrupted)
        else:
            monkeypatch.setattr(Conversation, "may_move", lambda *_: call.session.interrupt())
        await call.say("Up, please.")
        assert (call.session.userdata.stage, len(call.stages)) == ("hall", 1)
        monkeypatch.undo()
        assert await call.say("Well?") == "The office."
        assert [entry.stage for entry in call.stages] == ["hall", "office"]


async def test_the_first_agent_waits_for_the_caller() -> None:
    """Its greeting is fixed words that the job speaks."""
    async with talk() as call:
        assert call.model.asked == []


async def test_a_stage_may_think_with_a_model_of_its_own() -> None:
    """The one that it was given, not the session's."""
    own = ScriptedModel(Says("Thought elsewhere."))
    async with talk(models=Models("strong", llm=own)) as call:
        assert await call.say("Hello?") == "Thought elsewhere."
        assert call.model.asked == []


async def test_instructions_follow_the_call() -> None:
    """A language or a fact that is found later is in the next request."""
    async with talk(Says("Ja."), Says("Ja, ja.")) as call:
        await call.say("Guten Tag.")
        call.session.userdata.language = "de"
        assert isinstance(call.session.current_agent, StageAgent)
        await call.session.current_agent.renew_instructions()
        await call.say("Sprechen Sie Deutsch?")
        assert call.model.asked[-1].instructions == "# hall\nde {}"


async def test_agents_that_hand_a_call_to_and_fro_are_stopped() -> None:
    """Nobody speaks meanwhile: one of them has to, at the latest after some hand-offs."""
    there, back = Says(tool="to_office"), Says(tool="to_hall")
    async with talk(*[there, back] * 3, there, Says("What can I do for you?")) as call:
        assert await call.say("Hello?") == "What can I do for you?"
        assert len(call.stages) == 1 + MOST_MOVES
        assert call.session.userdata.refused_hand_offs == 1


async def test_of_two_hand_offs_at_one_time_the_first_counts() -> None:
    """The call is where its record says, and can go on from there."""
    both = Says(tool="to_office", also=("to_desk", "to_office"))
    async with talk(both, Says("The office."), Says(tool="to_hall"), Says("The hall again.")) as call:
        assert await call.say("Up, up, up!") == "The office."
        assert await call.say("Back.") == "The hall again."
        assert [entry.stage for entry in call.stages] == ["hall", "office", "hall"]


async def test_a_refused_hand_off_does_not_keep_out_the_one_beside_it() -> None:
    """Only one that is under way does."""
    async with talk(Says(tool="to_cellar", also=("to_office",)), Says("The office.")) as call:
        assert await call.say("Anywhere.") == "The office."
        assert [entry.stage for entry in call.stages] == ["hall", "office"]
