"""The language of a call in text: what the model is told when the caller speaks, or asks for, another one.

The model is a fake that says what the test has written down, and remembers its instructions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from livekit.agents import AgentSession

from callpool.call import Call
from callpool.hand_off import Conversation
from callpool.identification import Identification
from callpool.language import Languages
from callpool_agents import phrases, prompts
from callpool_agents.roster import LANGUAGES, ROSTER
from scripted_model import Says, ScriptedModel

IDENTIFICATION = Identification(LANGUAGES)


@dataclass
class Talk:
    """A call to the shop in text."""

    call: Call
    session: AgentSession[Call]
    languages: Languages
    model: ScriptedModel

    async def say(self, words: str) -> Any:
        """What the caller says, as the job would hear it."""
        await self.languages.heard(words)
        return await self.session.run(user_input=words)

    @property
    def instructions(self) -> str:
        """Those of the model's last request."""
        return self.model.asked[-1].instructions


@asynccontextmanager
async def talk(*answers: Says) -> AsyncIterator[Talk]:
    call = Call("c_1", room="call-1", agent_name="callpool", state=ROSTER.new_state())
    business = ROSTER.open_business("sqlite+aiosqlite:///nowhere.db")
    languages = Languages(call, IDENTIFICATION)
    conversation = Conversation(call, ROSTER, business, languages=languages)
    model = ScriptedModel(*answers)
    async with AgentSession[Call](llm=model, userdata=call) as session:
        languages.follow(session)
        await session.start(conversation.begin())
        yield Talk(call, session, languages, model)


async def test_the_first_sentence_is_answered_with_instructions_in_its_language() -> None:
    """Not the one after it."""
    async with talk(Says("Worum geht es?")) as call:
        await call.say("Guten Tag, ich habe eine Frage.")
        assert call.instructions == prompts.read("greeting", "de")


async def test_the_next_stage_goes_on_in_the_language_that_was_found() -> None:
    """Its prompt too is in it."""
    request = Says(tool="note_request", arguments={"request": "¿Dónde está mi pedido?"})
    async with talk(request, Says("¿Cuál es su número de pedido?")) as call:
        await call.say("Hola, ¿dónde está mi pedido?")
        assert call.call.stage == "data_collection"
        assert call.instructions.startswith(prompts.read("data_collection", "es"))


async def test_a_caller_who_asks_for_a_language_is_answered_in_it() -> None:
    """By the answer to that very sentence: the tool renews the instructions before it returns."""
    switch = Says(tool="switch_language", arguments={"language": "German"})
    async with talk(switch, Says("Gern. Worum geht es?")) as call:
        result = await call.say("Do you speak German?")
        result.expect.next_event().is_function_call(name="switch_language")
        output = result.expect.next_event().is_function_call_output(is_error=False)
        assert "German" in output.event().item.output
        assert call.instructions == prompts.read("greeting", "de")
        assert call.call.language == "de"


async def test_a_language_that_is_not_spoken_is_an_error_that_names_those_that_are() -> None:
    """The model can tell the caller, and goes on as before."""
    switch = Says(tool="switch_language", arguments={"language": "French"})
    async with talk(switch, Says("I am sorry, I speak English, German and Spanish.")) as call:
        result = await call.say("Do you speak French?")
        result.expect.next_event().is_function_call(name="switch_language")
        output = result.expect.next_event().is_function_call_output(is_error=True).event().item.output
        assert output.startswith("'French' is not spoken here: only English, German and Spanish.")
        assert call.instructions == prompts.read("greeting", "en")


async def test_a_later_switch_is_followed_and_small_words_are_not() -> None:
    """From German to Spanish, with a name, a number and an okay between."""
    async with talk(*(Says("…") for _ in range(5))) as call:
        await call.say("Ich möchte meine Bestellung stornieren")
        for words in ("Okay.", "José García", "1 2 3 4 5"):
            await call.say(words)
            assert call.instructions == prompts.read("greeting", "de")
        await call.say("Perdone, ¿podemos seguir en español?")
        assert call.instructions == prompts.read("greeting", "es")


async def test_the_last_words_are_in_the_language_of_the_call() -> None:
    """Those that no model says."""
    async with talk(Says(tool="end_call")) as call:
        await call.say("Vielen Dank, das war alles, auf Wiederhören.")
        said = [item.text_content for item in call.session.history.messages() if item.role == "assistant"]
    assert said == [phrases.say("closing", "de")]
