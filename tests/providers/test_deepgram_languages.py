"""The languages that the local Deepgram reports, and the scripts that outlive a change of language."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from aiohttp.test_utils import TestServer
from listening import SENTENCES, Samples, Talk, connected, listening, send, silence, talk, until
from livekit.agents.stt import SpeechEventType as Kind

from callpool.local.behaviour import Behaviour, Heard, Latency, Script

HEARS = [Heard("wo ist sie", "de"), Heard("dónde está", "es"), Heard("where is it", "en")]
SCRIPTED = Behaviour(latency=Latency(stt_final=0.15), script=Script(hears=HEARS))


def finals(count: int) -> Callable[[Talk], bool]:
    return lambda result: len(result.times(Kind.FINAL_TRANSCRIPT)) >= count


@pytest.mark.engines
async def test_the_plugin_reads_the_language_of_each_sentence(
    spoken: Callable[[str, int], Samples],
) -> None:
    """With `language=multi`, as the script has it; with one language, that one."""
    speech = spoken(SENTENCES[1], 16_000)
    audio = np.concatenate([speech, silence(0.8, 16_000), speech])
    told = {}
    async with listening(SCRIPTED) as server:
        for asked in ("multi", "de"):
            result = await talk(
                server, audio, 16_000, voice_ends_s=len(audio) / 16_000, enough=finals(2), language=asked
            )
            told[asked] = [
                (event.alternatives[0].text, str(event.alternatives[0].language))
                for _, event in result.events
                if event.type == Kind.FINAL_TRANSCRIPT
            ]
    assert told == {
        "multi": [("wo ist sie", "de"), ("dónde está", "es")],
        "de": [("wo ist sie", "de"), ("dónde está", "de")],
    }


async def heard(server: TestServer, speech: Samples, **query: str) -> str:
    """What a new connection hears when something is said."""
    async with connected(server, **query) as socket:
        await send(socket, np.concatenate([speech, silence(0.5, 16_000)]), paced=True)
        *_, final = await until(socket, lambda message: bool(message.get("is_final")))
    return str(final["channel"]["alternatives"][0]["transcript"])


@pytest.mark.engines
async def test_a_script_goes_on_where_a_client_with_a_tag_connects_anew(
    spoken: Callable[[str, int], Samples],
) -> None:
    """The plugin does so when its language changes. Who has another tag, or none, begins at the top."""
    speech = spoken(SENTENCES[1], 16_000)
    async with listening(SCRIPTED) as server:
        assert await heard(server, speech, tag="one", language="multi") == "wo ist sie"
        assert await heard(server, speech, tag="one", language="de") == "dónde está"
        assert await heard(server, speech, tag="two", language="multi") == "wo ist sie"
        assert await heard(server, speech, tag="one", language="es") == "where is it"
        for _ in range(2):
            assert await heard(server, speech, language="multi") == "wo ist sie"
