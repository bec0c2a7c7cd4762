"""Two pairs of ears in a chain: the real plugins against servers that fail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from listening import listening as serving_ears
from listening import silence
from livekit import rtc
from livekit.agents.stt import STT, SpeechEventType
from livekit.plugins import deepgram as plugin
from loopback import serving

from callpool import settings
from callpool.fallback import listening
from callpool.fallback.ears import EarChain
from callpool.fallback.standing import Standing
from callpool.local.behaviour import Behaviour, Fault, FaultKind, Heard, Latency, Script
from callpool.local.speaking import Buzz, Samples
from callpool.pipeline import ATTEMPT, Pipeline, build_pipeline

RATE_HZ = 16000


def hearing(text: str, fault: FaultKind | None = None) -> Behaviour:
    faults = [Fault(fault, 1.0)] if fault else []
    return Behaviour(latency=Latency(stt_final=0.05), script=Script(hears=[Heard(text)]), faults=faults)


@asynccontextmanager
async def chained(*behaviours: Behaviour) -> AsyncIterator[STT]:  # type: ignore[type-arg]
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        servers: list[TestServer] = [
            await stack.enter_async_context(serving_ears(each)) for each in behaviours
        ]
        members = [
            plugin.STT(api_key="any", base_url=str(server.make_url("/v1/listen")), http_session=session)
            for server in servers
        ]
        chain = listening(members)
        yield chain
        await chain.aclose()


async def first_words(stt: STT) -> str:  # type: ignore[type-arg]
    """What is heard when somebody speaks for a second now and then, for 30 s at most."""
    voice = (await Buzz().say("Where is my order?", RATE_HZ)).samples[:RATE_HZ]

    async def speak() -> None:
        while True:
            for samples in (voice, silence(1, RATE_HZ)):
                for at in range(0, len(samples), RATE_HZ // 50):
                    piece = samples[at : at + RATE_HZ // 50]
                    stream.push_frame(rtc.AudioFrame(piece.tobytes(), RATE_HZ, 1, len(piece)))
                    await asyncio.sleep(0.02)

    async with asyncio.timeout(30), stt.stream(conn_options=ATTEMPT) as stream:
        speaking = asyncio.create_task(speak())
        try:
            async for event in stream:
                if event.type == SpeechEventType.FINAL_TRANSCRIPT and event.alternatives[0].text:
                    return event.alternatives[0].text
        finally:
            speaking.cancel()
    raise AssertionError("nothing was heard")


@pytest.mark.parametrize("fault", ["429", "500", "drop"])
async def test_the_next_ears_hear_what_is_said_after_the_first_failed(fault: FaultKind) -> None:
    """Also when they fail while somebody speaks."""
    async with chained(hearing("first", fault), hearing("second")) as chain:
        assert await first_words(chain) == "second"


async def words_of_one_sentence(stt: EarChain, voice: Samples) -> str:
    """What is heard of somebody who speaks once, and then waits for 12 s at most."""

    async def speak() -> None:
        # A call has begun a while ago: the connection stands.
        for samples, speaking in ((silence(1, RATE_HZ), False), (voice, True), (silence(30, RATE_HZ), False)):
            stt.note_voice(speaking)
            for at in range(0, len(samples), RATE_HZ // 50):
                piece = samples[at : at + RATE_HZ // 50]
                stream.push_frame(rtc.AudioFrame(piece.tobytes(), RATE_HZ, 1, len(piece)))
                await asyncio.sleep(0.02)

    async with asyncio.timeout(14), stt.stream(conn_options=ATTEMPT) as stream:
        speaking = asyncio.create_task(speak())
        try:
            async for event in stream:
                if event.type == SpeechEventType.FINAL_TRANSCRIPT and event.alternatives[0].text:
                    return event.alternatives[0].text
        finally:
            speaking.cancel()
    raise AssertionError("nothing was heard")


@pytest.mark.parametrize("fault", ["429", "500", "hang", "drop", "garbage", "slow"])
async def test_a_sentence_is_heard_though_the_only_ears_fail(
    fault: FaultKind, spoken: Callable[[str, int], Samples]
) -> None:
    """What was said into a broken connection, or into one that has no words, is given to the next."""
    behaviour = hearing("Where is my order?", fault)
    throws = iter([0.0])
    behaviour.random.random = lambda: next(throws, 1.0)  # type: ignore[method-assign]
    async with chained(behaviour) as chain:
        assert isinstance(chain, EarChain)
        voice = spoken("Where is my order?", RATE_HZ)
        assert await words_of_one_sentence(chain, voice) == "Where is my order?"
        assert not chain.failing


@pytest.mark.parametrize(("fault", "kind"), [("hang", "timeout"), ("500", "5xx")])
async def test_ears_that_never_hear_are_known_to_fail(
    fault: FaultKind, kind: str, spoken: Callable[[str, int], Samples]
) -> None:
    """So that nobody tells the caller that they were unclear."""
    told: list[tuple[str, str]] = []
    unheard_s: list[float] = []
    async with chained(hearing("words", fault)) as chain:
        assert isinstance(chain, EarChain)
        chain.on_deaf = unheard_s.append
        chain.standing = Standing(lambda seen: told.append((seen.part, seen.kind)))
        voice = spoken("I am calling about order number one two three four.", RATE_HZ)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(words_of_one_sentence(chain, voice), 9)
        assert chain.failing
    assert told[0] == ("stt", kind)
    assert len(unheard_s) == 1
    assert unheard_s[0] > 2


@asynccontextmanager
async def noting() -> AsyncIterator[tuple[str, list[str]]]:
    """A server that speaks neither protocol and notes which languages it is asked for."""
    asked: list[str] = []

    async def note(request: web.Request) -> web.WebSocketResponse:
        asked.append(request.query["language"])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for _ in socket:
            pass
        return socket

    async with serving([web.get("/v1/listen", note), web.get("/stt/websocket", note)]) as server:
        yield str(server.make_url("")).rstrip("/"), asked


def pipeline_of(base_url: str) -> Pipeline:
    """The ears of the shipped profile, on one server."""
    made = settings.load({"DEEPGRAM_API_KEY": "a", "OPENAI_API_KEY": "b", "CARTESIA_API_KEY": "c"})
    pipeline = build_pipeline(made, None, None, "en", listen_to="multi")  # type: ignore[arg-type]
    for each in pipeline.ears:
        if isinstance(each.stt, plugin.STT):
            each.stt.update_options(endpoint_url=f"{base_url}/v1/listen")
    return pipeline


async def test_a_change_of_language_reaches_a_stream_that_is_open() -> None:
    """The connection is made anew, in the language of the caller."""
    async with noting() as (base_url, asked), aiohttp.ClientSession() as session:
        pipeline = pipeline_of(base_url)
        ears = pipeline.ears[0].stt
        assert isinstance(ears, plugin.STT)
        ears._session = session
        async with ears.stream(conn_options=ATTEMPT), asyncio.timeout(5):
            while asked != ["multi"]:
                await asyncio.sleep(0.02)
            pipeline.set_language("de")
            while asked != ["multi", "de"]:
                await asyncio.sleep(0.02)
