"""The Deepgram protocol: injected faults, as the plugin meets them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import aiohttp
import numpy as np
import pytest
from listening import (
    KEY,
    SCRIPT,
    SENTENCES,
    Samples,
    Talk,
    connected,
    ended,
    listening,
    send,
    silence,
    talk,
    wav,
)
from livekit.agents import APIError, APIStatusError
from livekit.agents.stt import SpeechEventType as Kind

from callpool.local.behaviour import SLOW_S, Behaviour, Fault, FaultKind, Latency


async def failing(kind: FaultKind, audio: Samples, enough: Callable[[Talk], bool]) -> Talk:
    behaviour = Behaviour(latency=Latency(), script=SCRIPT, faults=[Fault(kind, 1.0, "deepgram")])
    async with listening(behaviour) as server:
        return await talk(server, audio, 16_000, voice_ends_s=len(audio) / 16_000, enough=enough)


@pytest.mark.engines
@pytest.mark.parametrize("kind", ["429", "500"])
async def test_a_refused_handshake_reaches_the_plugin(
    kind: FaultKind, spoken: Callable[[str, int], Samples]
) -> None:
    """An injected status is what the plugin reports."""
    result = await failing(kind, spoken(SENTENCES[1], 16_000), lambda _: False)
    assert isinstance(result.error, APIStatusError)
    assert result.error.status_code == int(kind)


@pytest.mark.engines
async def test_a_dropped_stream_reaches_the_plugin(spoken: Callable[[str, int], Samples]) -> None:
    """A connection cut in mid-stream is an error that can be retried."""
    result = await failing("drop", spoken(SENTENCES[3], 16_000), lambda _: False)
    assert isinstance(result.error, APIError)
    assert result.error.retryable


@pytest.mark.engines
async def test_a_slow_stream_answers_late(spoken: Callable[[str, int], Samples]) -> None:
    """The first event comes seconds after it was due, and the words are still right."""
    audio = spoken(SENTENCES[1], 16_000)
    result = await failing("slow", audio, ended())
    assert result.texts(Kind.FINAL_TRANSCRIPT) == ["my number is"]
    assert result.times(Kind.START_OF_SPEECH)[0] >= SLOW_S - len(audio) / 16_000


@pytest.mark.engines
@pytest.mark.parametrize("kind", ["hang", "garbage"])
async def test_a_stream_that_never_makes_sense_gives_no_words(
    kind: FaultKind, spoken: Callable[[str, int], Samples]
) -> None:
    """Silence and garbage leave the plugin without an event; garbage does arrive as text that is no JSON."""
    behaviour = Behaviour(latency=Latency(), script=SCRIPT, faults=[Fault(kind, 1.0)])
    speech = np.concatenate([spoken(SENTENCES[1], 16_000), silence(0.5, 16_000)])
    async with listening(behaviour) as server, connected(server, vad_events="true") as socket:
        await send(socket, speech)
        await socket.send_str('{"type": "Finalize"}')
        if kind == "garbage":
            message = await socket.receive(timeout=5)
            with pytest.raises(json.JSONDecodeError):
                json.loads(message.data)
        else:
            with pytest.raises(asyncio.TimeoutError):
                await socket.receive(timeout=1.5)


@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500)])
async def test_faults_strike_recordings_too(kind: FaultKind, status: int) -> None:
    """A request with a recording gets the same statuses and bodies."""
    async with (
        listening(Behaviour(latency=Latency(), faults=[Fault(kind, 1.0)])) as server,
        aiohttp.ClientSession() as session,
        session.post(server.make_url("/v1/listen"), data=wav(silence(1, 8_000), 8_000), headers=KEY) as reply,
    ):
        assert reply.status == status
        assert (await reply.json())["err_code"]


async def test_a_hanging_recording_is_never_answered() -> None:
    """The client gives up first."""
    async with (
        listening(Behaviour(latency=Latency(), faults=[Fault("hang", 1.0)])) as server,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(asyncio.TimeoutError):
            await session.post(
                server.make_url("/v1/listen"),
                data=wav(silence(1, 8_000), 8_000),
                headers=KEY,
                timeout=aiohttp.ClientTimeout(total=0.5),
            )
