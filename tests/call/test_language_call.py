"""A real call whose caller speaks German, and then Spanish.

The local engines know English only: a script says what speech to text hears, and in which language.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tap import Tap, tap, telephone_behind_taps

from callpool import ending
from callpool.caller.conversation import invite
from callpool_agents import phrases, prompts
from processes import any_ports, local_providers
from telephone import Telephone

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]

GERMAN = "Guten Tag, ich möchte wissen, wo meine Bestellung ist."
SPANISH = "Perdone, ¿podemos seguir en español, por favor?"
FIRST, SECOND, LAST = "Hello there good morning.", "Can we change again?", "Thank you so much."
"""What is really said: any words will do that leave no pause between them."""
SCRIPT = {
    "hears": [
        {"text": GERMAN, "language": "de"},
        {"text": SPANISH, "language": "es"},
        {"text": "Muchas gracias, eso es todo, adiós.", "language": "es"},
    ],
    "says": [
        {"text": "Gern. Wie lautet Ihre Bestellnummer?"},
        {"text": "Claro. ¿Cuál es su número de pedido?"},
        {"tools": [{"name": "end_call", "arguments": {}}]},
    ],
}


@dataclass
class Wires:
    """What the worker asks its providers for."""

    ears: Tap
    model: Tap
    voice: Tap

    def instructions(self) -> list[str]:
        """Those of every request to the language model."""
        return [document["messages"][0]["content"] for document in self.model.documents]


@pytest.fixture
async def wires(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Wires]:
    """Ears and model from a script, a real voice, and taps before all three."""
    script = tmp_path / "script.yaml"
    script.write_text(yaml.safe_dump(SCRIPT))
    scripted, engines = tmp_path / "scripted", tmp_path / "engines"
    scripted.mkdir()
    engines.mkdir()
    latency = ("--latency", "stt_final=150,ttft=50", "--script", str(script))
    with (
        local_providers(scripted, free_port(), *latency) as one,
        local_providers(engines, free_port()) as two,
    ):
        async with tap(one) as ears, tap(one) as model, tap(two) as voice:
            yield Wires(ears, model, voice)


@pytest.fixture
async def telephone(wires: Wires, tmp_path: Path, livekit_program: Path) -> AsyncIterator[Telephone]:
    """A telephone at a `callpool up` with these providers."""
    endpoints = {
        "DEEPGRAM_BASE_URL": wires.ears.url,
        "OPENAI_BASE_URL": f"{wires.model.url}/v1",
        "CARTESIA_BASE_URL": wires.voice.url,
    }
    env = any_ports(CALLPOOL_LIVEKIT_SERVER=str(livekit_program), **endpoints)
    async with telephone_behind_taps(tmp_path, env, engines=wires.voice.upstream) as telephone:
        yield telephone


async def test_a_call_follows_its_caller_from_german_to_spanish(telephone: Telephone, wires: Wires) -> None:
    """Instructions, voice, ears and record, each from the very sentence on that was in the new language."""
    call = await telephone.dial()
    id = call.invitation.call_id
    assert "help" in await call.greeting()
    assert (await telephone.calls.get(id)).language == "en"

    await call.say(FIRST)
    record = await telephone.record(id, lambda record: record.language == "de", "the call is in German")
    assert record.turns[1].caller_text == GERMAN
    assert wires.instructions()[-1] == prompts.read("greeting", "de")

    await call.say(SECOND)
    await telephone.record(id, lambda record: record.language == "es", "the call is in Spanish")
    assert wires.instructions()[-1] == prompts.read("greeting", "es")

    await call.caller.speak(await telephone.samples(LAST))
    record = await telephone.ended(id, 20)
    assert record.ending == ending.GOODBYE
    assert record.language == "es"
    assert [turn.agent_text for turn in record.turns] == [
        phrases.say("greeting", "en"),
        "Gern. Wie lautet Ihre Bestellnummer?",
        "Claro. ¿Cuál es su número de pedido?",
        phrases.say("closing", "es"),
    ]
    assert wires.voice.told("language") == ["en", "de", "es"]
    assert wires.ears.asked("language") == ["multi", "de", "es"]
    assert wires.ears.asked("tag") == [id]


async def test_a_caller_who_chose_a_language_is_greeted_in_it(telephone: Telephone, wires: Wires) -> None:
    """Speech to text listens for it alone; a whole sentence in another one is followed all the same."""
    call = await telephone.join(await invite(telephone.speech.http, telephone.running.web, "es"))
    await call.greeting()
    assert wires.voice.told("language")[-1] == "es"
    await call.say(FIRST)
    record = await telephone.record(
        call.invitation.call_id, lambda record: record.language == "de", "the call is in German"
    )
    assert record.turns[0].agent_text == phrases.say("greeting", "es")
    # Before any call, the worker had its waiting words synthesized in the first of its languages.
    assert wires.voice.told("language") == ["en", "es", "de"]
    assert wires.ears.asked("language")[0] == "es"
