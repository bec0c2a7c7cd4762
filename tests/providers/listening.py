"""A client of the Deepgram protocol: the unmodified plugin and, where that has no word for it, by hand."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import time
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import numpy as np
from aiohttp import WSMsgType
from aiohttp.test_utils import TestServer
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError
from livekit.agents.stt import SpeechEventType as Kind
from livekit.plugins import deepgram as plugin
from loopback import serving

from callpool.local import deepgram
from callpool.local.behaviour import Behaviour, Heard, Latency, Script
from callpool.local.hearing import Hearing

KEY = {"Authorization": "Token any"}
ONCE = APIConnectOptions(max_retry=0, timeout=5.0)
STREAM = {"encoding": "linear16", "sample_rate": "16000", "punctuate": "true"}
SENTENCES = {
    1: "Where is my order?",
    3: "I am calling about order number one two three four.",
    8: "I would like to know where my order is because it was supposed to arrive yesterday "
    "and I am still waiting for it at home with my whole family which is annoying.",
}
SCRIPT = Script(
    hears=[Heard("my number is", "en"), Heard("uno dos tres", "es"), Heard("thank you very much", "en")]
)
SCRIPTED = Behaviour(latency=Latency(stt_final=0.15), script=SCRIPT)

Samples = np.ndarray[Any, np.dtype[np.int16]]


def silence(seconds: float, rate_hz: int) -> Samples:
    return np.zeros(int(seconds * rate_hz), np.int16)


def wav(samples: Samples, rate_hz: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def listening(
    behaviour: Behaviour, hearing: Hearing | None = None
) -> AbstractAsyncContextManager[TestServer]:
    return serving(deepgram.routes(hearing or Hearing(), behaviour))


@dataclass
class Talk:
    """What came back from a stream: (seconds since the voice ended, event)."""

    events: list[tuple[float, Any]] = field(default_factory=list)
    error: BaseException | None = None

    def times(self, kind: str) -> list[float]:
        return [at for at, event in self.events if event.type == kind]

    def texts(self, kind: str) -> list[str]:
        return [event.alternatives[0].text for _, event in self.events if event.type == kind]


async def talk(
    server: TestServer,
    audio: Samples,
    rate_hz: int,
    *,
    voice_ends_s: float,
    enough: Callable[[Talk], bool],
    **options: Any,
) -> Talk:
    """Speak `audio` through the plugin in real time, then silence, until `enough` or 10 s later."""
    result = Talk()
    over = asyncio.Event()
    async with aiohttp.ClientSession() as session:
        stt = plugin.STT(
            api_key="any",
            base_url=str(server.make_url("/v1/listen")),
            sample_rate=rate_hz,
            http_session=session,
            **options,
        )
        stream = stt.stream(conn_options=ONCE)
        started = time.perf_counter() + 0.2

        async def speak() -> None:
            with contextlib.suppress(RuntimeError):  # the stream closes when its connection fails
                await push()

        async def push() -> None:
            step = rate_hz // 100
            padded = np.concatenate([audio, silence(10, rate_hz)])
            for n in range(len(padded) // step):
                if over.is_set():
                    return
                await asyncio.sleep(max(0.0, started + (n + 1) * 0.01 - time.perf_counter()))
                stream.push_frame(
                    rtc.AudioFrame(padded[n * step : (n + 1) * step].tobytes(), rate_hz, 1, step)
                )

        async def listen() -> None:
            try:
                async for event in stream:
                    result.events.append((time.perf_counter() - started - voice_ends_s, event))
                    if enough(result):
                        return
            except APIError as error:
                result.error = error
            finally:
                over.set()

        await asyncio.gather(speak(), asyncio.wait_for(listen(), 30))
        await stream.aclose()
    return result


def ended(times: int = 1) -> Callable[[Talk], bool]:
    return lambda result: len(result.times(Kind.END_OF_SPEECH)) >= times


@asynccontextmanager
async def connected(server: TestServer, **query: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.make_url("/v1/listen"), params=STREAM | query, headers=KEY) as socket,
    ):
        yield socket


async def send(socket: aiohttp.ClientWebSocketResponse, audio: Samples, *, paced: bool = False) -> None:
    """All at once, since to the engine time is what the audio says, or `paced` as a microphone would."""
    started = time.perf_counter()
    for start in range(0, len(audio), 800):
        if paced:
            await asyncio.sleep(max(0.0, started + (start + 800) / 16_000 - time.perf_counter()))
        await socket.send_bytes(audio[start : start + 800].tobytes())


async def until(socket: aiohttp.ClientWebSocketResponse, stop: Callable[[Any], bool]) -> list[Any]:
    """The messages up to the one that `stop` accepts."""
    messages: list[Any] = []
    async with asyncio.timeout(20):
        while not messages or not stop(messages[-1]):
            message = await socket.receive()
            assert message.type == WSMsgType.TEXT, message
            messages.append(json.loads(message.data))
    return messages
