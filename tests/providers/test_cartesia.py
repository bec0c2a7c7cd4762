"""The Cartesia protocol, spoken by the unmodified plugin and, where that has no word for it, by hand."""

from __future__ import annotations

import base64
import io
import json
import re
import time
import wave
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp.test_utils import TestServer
from livekit.agents import APIConnectOptions, APIError, APIStatusError, APITimeoutError
from livekit.plugins import cartesia as plugin
from loopback import serving

from callpool.local import cartesia, cartesia_contexts
from callpool.local.behaviour import Behaviour, Fault, FaultKind, Latency
from callpool.local.speaking import Speaking, resample

KEY = {"X-API-Key": "any"}
VERSION = {"Cartesia-Version": "2025-04-16"}
ONCE = APIConnectOptions(max_retry=0, timeout=2.0)
SCRIPTED = Behaviour(latency=Latency(ttfb=0.09))
WAV = {"container": "wav", "encoding": "pcm_s16le", "sample_rate": 8000}
PARAGRAPH = (
    "Thank you for calling us today about your order. "
    "I have looked at everything that we know about the parcel. "
    "It left our warehouse on Monday morning with the usual carrier. "
    "The carrier says that it will reach your door tomorrow afternoon."
)


def speech_from(
    behaviour: Behaviour, speaking: Speaking | None = None
) -> AbstractAsyncContextManager[TestServer]:
    return serving(cartesia.routes(speaking or Speaking(), behaviour))


@asynccontextmanager
async def talking(server: TestServer, sample_rate: int = 24000) -> AsyncIterator[plugin.TTS]:
    """The plugin, pointed at the server by base URL and nothing else."""
    async with aiohttp.ClientSession() as session:
        tts = plugin.TTS(
            base_url=str(server.make_url("")).rstrip("/"),
            api_key="any",
            sample_rate=sample_rate,
            http_session=session,
        )
        yield tts
        await tts.aclose()


@asynccontextmanager
async def connected(server: TestServer) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(server.make_url("/tts/websocket"), headers=KEY | VERSION) as ws,
    ):
        yield ws


def asking(transcript: str, context_id: str = "a", **more: object) -> dict[str, Any]:
    return {
        "model_id": "sonic-3",
        "transcript": transcript,
        "context_id": context_id,
        "voice": {"mode": "id", "id": "a voice nobody has heard of"},
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 16000},
        **more,
    }


async def until_done(ws: aiohttp.ClientWebSocketResponse, *contexts: str) -> list[dict[str, Any]]:
    """Every message up to the last context's `done` (or error)."""
    waiting, messages = set(contexts or ("a",)), []
    while waiting:
        message = await ws.receive_json(timeout=20)
        messages.append(message)
        if message["type"] in ("done", "error"):
            waiting.discard(message["context_id"])
    return messages


def audio_of(messages: list[dict[str, Any]]) -> np.ndarray[Any, np.dtype[np.int16]]:
    data = b"".join(base64.b64decode(one["data"]) for one in messages if one["type"] == "chunk")
    return np.frombuffer(data, np.int16)


def words_heard(samples: np.ndarray[Any, np.dtype[np.int16]], rate_hz: int) -> set[str]:
    """What a speech-to-text engine makes of it, lower case."""
    from moonshine_voice import ModelArch, get_model_path
    from moonshine_voice.transcriber import Transcriber

    heard = resample(samples, rate_hz, 16000).astype(np.float32) / 32768
    with Transcriber(str(get_model_path("tiny-en")), ModelArch.TINY) as transcriber:
        lines = transcriber.transcribe_without_streaming(heard.tolist(), 16000).lines
    return set(re.findall(r"[a-z']+|\d", " ".join(line.text for line in lines).lower()))


async def stream_all(tts: plugin.TTS) -> list[Any]:
    stream = tts.stream(conn_options=ONCE)
    stream.push_text(PARAGRAPH)
    stream.end_input()
    return [event async for event in stream]


def samples_of(frames: list[Any]) -> np.ndarray[Any, np.dtype[np.int16]]:
    return np.concatenate([np.frombuffer(frame.data, np.int16) for frame in frames])


@pytest.mark.engines
async def test_the_plugin_hears_a_whole_text_spoken(speaking: Speaking) -> None:
    """`synthesize` goes through /tts/bytes and says every word."""
    async with speech_from(Behaviour(), speaking) as server, talking(server) as tts:
        frame = await tts.synthesize("What is your order number?").collect()
    assert frame.sample_rate == 24000
    assert words_heard(np.frombuffer(frame.data, np.int16), 24000) >= {
        "what",
        "is",
        "your",
        "order",
        "number",
    }


@pytest.mark.engines
async def test_the_plugin_streams_text_in_pieces(speaking: Speaking) -> None:
    """`stream` goes through /tts/websocket; the audio says the words and the words come with times."""
    async with speech_from(Behaviour(), speaking) as server, talking(server, 48000) as tts:
        stream = tts.stream()
        for piece in ("Your par", "cel is on the ", "way. It will arrive tom", "orrow morning."):
            stream.push_text(piece)
        stream.end_input()
        events = [event async for event in stream]
    frames = [event.frame for event in events]
    timed = [text for frame in frames for text in frame.userdata.get("lk.timed_transcripts", [])]
    assert words_heard(samples_of(frames), 48000) >= {"parcel", "way", "arrive", "tomorrow", "morning"}
    assert " ".join("".join(timed).split()) == "Your parcel is on the way. It will arrive tomorrow morning."


@pytest.mark.engines
async def test_digits_are_spoken_one_by_one(speaking: Speaking) -> None:
    """Digits with spaces between them are heard as that sequence."""
    async with speech_from(Behaviour(), speaking) as server, talking(server) as tts:
        frame = await tts.synthesize("Your order number is 1 2 3 4 5.").collect()
    heard = words_heard(np.frombuffer(frame.data, np.int16), 24000)
    assert heard >= set("12345") or heard >= {"one", "two", "three", "four", "five"}


@pytest.mark.engines
async def test_a_short_sentence_begins_before_a_long_one_is_spoken(speaking: Speaking) -> None:
    """From sending the text to the first audio, the best of three; the aim is 300 ms on an idle core."""
    taken_s = []
    async with speech_from(Behaviour(), speaking) as server, connected(server) as ws:
        for context_id in ("a", "b", "c"):
            sent_s = time.perf_counter()
            await ws.send_json(asking("Yes, I can help you.", context_id))
            first = await ws.receive_json(timeout=10)
            taken_s.append(time.perf_counter() - sent_s)
            assert first["type"] == "chunk"
            await until_done(ws, context_id)
    print(f"first audio after {min(taken_s) * 1000:.0f} ms")
    assert min(taken_s) < 2


@pytest.mark.engines
@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000])
async def test_any_sample_rate_gives_the_same_speech(speaking: Speaking, rate_hz: int) -> None:
    """The duration does not depend on the rate, and the words survive it."""
    form = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": rate_hz}
    async with speech_from(Behaviour(), speaking) as server, connected(server) as ws:
        await ws.send_json(asking("What is your order number?", output_format=form))
        samples = audio_of(await until_done(ws))
    assert 1.0 < len(samples) / rate_hz < 2.0
    assert words_heard(samples, rate_hz) >= {"order", "number"}


@pytest.mark.engines
async def test_contexts_speak_side_by_side(speaking: Speaking) -> None:
    """A short context is done while a long one that began before it still speaks."""
    async with speech_from(Behaviour(), speaking) as server, connected(server) as ws:
        await ws.send_json(asking(PARAGRAPH, "long"))
        await ws.send_json(asking("Yes, of course.", "short"))
        messages = await until_done(ws, "long", "short")
    done = [one["context_id"] for one in messages if one["type"] == "done"]
    long = audio_of([one for one in messages if one["context_id"] == "long"])
    assert done == ["short", "long"]
    assert words_heard(long, 16000) >= {"order", "parcel", "warehouse", "monday", "tomorrow"}


@pytest.mark.engines
async def test_a_cancelled_context_says_no_more(speaking: Speaking) -> None:
    """After `cancel` comes `done`, then nothing of that context, and others go on."""
    async with speech_from(Behaviour(), speaking) as server, connected(server) as ws:
        await ws.send_json(asking(PARAGRAPH))
        first = await ws.receive_json(timeout=10)
        await ws.send_json({"context_id": "a", "cancel": True})
        cancelled = [first, *await until_done(ws)]
        await ws.send_json(asking("Yes.", "b"))
        after = await until_done(ws, "b")
    assert 0 < len(audio_of(cancelled)) / 16000 < 6
    assert {one["context_id"] for one in after} == {"b"}


@pytest.mark.engines
async def test_timestamps_name_every_word_in_order(speaking: Speaking) -> None:
    """Times rise over the sentences of a context and end within its audio."""
    async with speech_from(Behaviour(), speaking) as server, connected(server) as ws:
        await ws.send_json(asking(PARAGRAPH, add_timestamps=True))
        messages = await until_done(ws)
    times = [one["word_timestamps"] for one in messages if one["type"] == "timestamps"]
    words = [word for one in times for word in one["words"]]
    bounds = [at for one in times for pair in zip(one["start"], one["end"], strict=True) for at in pair]
    assert words == PARAGRAPH.split()
    assert bounds == sorted(bounds)
    assert bounds[-1] <= len(audio_of(messages)) / 16000 + 0.01


@pytest.mark.engines
async def test_a_flush_speaks_what_waits_and_counts(speaking: Speaking) -> None:
    """Text that waits for the end of its sentence is spoken at a flush; chunks carry the flush id."""
    async with speech_from(Behaviour(), speaking) as server, connected(server) as ws:
        await ws.send_json(asking("And your order", **{"continue": True}))
        await ws.send_json(asking("", flush=True, **{"continue": True}))
        await ws.send_json(asking("Thank you."))
        messages = await until_done(ws)
    order = [(one["type"], one.get("flush_id")) for one in messages]
    flushed = order.index(("flush_done", 1))
    assert set(order[:flushed]) == {("chunk", 1)}
    assert set(order[flushed + 1 :]) == {("chunk", 2), ("done", None)}


@pytest.mark.engines
async def test_an_unfinished_sentence_waits_no_longer_than_asked(speaking: Speaking) -> None:
    """`max_buffer_delay_ms` speaks a text that never gets its full stop."""
    async with speech_from(Behaviour(), speaking) as server, connected(server) as ws:
        await ws.send_json(asking("hold on", max_buffer_delay_ms=200, **{"continue": True}))
        sent_s = time.perf_counter()
        first = await ws.receive_json(timeout=10)
    assert first["type"] == "chunk"
    assert time.perf_counter() - sent_s >= 0.19


@pytest.mark.engines
async def test_markup_and_signs_are_not_spoken(speaking: Speaking) -> None:
    """Text without anything to pronounce ends at once, without audio."""
    async with speech_from(Behaviour(), speaking) as server, connected(server) as ws:
        await ws.send_json(asking('<speed ratio="1.2"/> …'))
        messages = await until_done(ws)
    assert [one["type"] for one in messages if one["type"] != "chunk"] == ["done"]
    assert np.abs(audio_of(messages)).max(initial=0) < 1000


@pytest.mark.engines
async def test_the_voice_is_not_clipped_and_starts_at_once(speaking: Speaking) -> None:
    """A caller hears sound within 30 ms of the first sample, below full scale."""
    speech = await speaking.say("What is your order number?", 24000)
    loud = np.flatnonzero(np.abs(speech.samples.astype(int)) > 600)
    assert loud[0] / 24000 < 0.03
    assert 15000 < np.abs(speech.samples.astype(int)).max() < 32000


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        (VERSION, "", 401),
        (KEY, "", 400),
        (KEY, "?cartesia_version=2025-04-16", 101),
        ({}, "?api_key=any&cartesia_version=2025-04-16", 101),
        ({"Authorization": "Bearer any", **VERSION}, "", 101),
    ],
)
async def test_a_key_and_a_version_are_required(headers: dict[str, str], query: str, status: int) -> None:
    """As headers or as query parameters; without them the handshake is refused."""
    async with speech_from(SCRIPTED) as server, aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(server.make_url(f"/tts/websocket{query}"), headers=headers):
                answered = 101
        except aiohttp.WSServerHandshakeError as error:
            answered = error.status
    assert answered == status


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"output_format": {"container": "raw", "encoding": "pcm_f32le", "sample_rate": 16000}}, "pcm_f32le"),
        ({"output_format": {"container": "mp3", "encoding": "pcm_s16le", "sample_rate": 16000}}, "container"),
        ({"output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": "x"}}, "sample_rate"),
        ({"output_format": None}, "output_format"),
        ({"voice": None}, "voice"),
        ({"model_id": None}, "model"),
        ({"transcript": 7}, "transcript"),
        ({"transcript": "half a character: \ud800"}, "transcript"),
        ({"max_buffer_delay_ms": -1}, "max_buffer_delay_ms"),
    ],
)
async def test_a_bad_request_gets_an_error_message(change: dict[str, object], named: str) -> None:
    """Status 400, the context's id, the field at fault; the connection stays usable. HTTP answers alike."""
    bad = asking("Hello.") | change
    async with speech_from(SCRIPTED) as server, connected(server) as ws, aiohttp.ClientSession() as session:
        await ws.send_json(bad)
        error = await ws.receive_json(timeout=5)
        await ws.send_json(asking("Hello."))
        assert (await until_done(ws))[-1]["type"] == "done"
        async with session.post(server.make_url("/tts/bytes"), json=bad, headers=KEY | VERSION) as answer:
            refused = answer.status, await answer.text()
    assert (error["type"], error["done"], error["status_code"], error["context_id"]) == (
        "error",
        True,
        400,
        "a",
    )
    assert named in error["error"].lower()
    assert refused[0] == 400
    assert named in refused[1].lower()


@pytest.mark.parametrize("text", ["{", "[]", "null", "[" * 100_000], ids=["broken", "array", "null", "deep"])
async def test_bad_json_gets_an_error_message(text: str) -> None:
    """Over both transports."""
    async with speech_from(SCRIPTED) as server, connected(server) as ws, aiohttp.ClientSession() as session:
        await ws.send_str(text)
        assert (await ws.receive_json(timeout=5))["status_code"] == 400
        async with session.post(server.make_url("/tts/bytes"), data=text, headers=KEY | VERSION) as answer:
            assert answer.status == 400


@pytest.mark.parametrize(
    ("body", "charset", "status"),
    [(b"\xff\xfe{", "utf-8", 400), (b"\xff", "no-such-charset", 400), (None, "no-such-charset", 200)],
)
async def test_a_body_is_read_as_json_whatever_its_charset(
    body: bytes | None, charset: str, status: int
) -> None:
    """JSON is UTF-8: what is not gets 400, and the name of another character set changes nothing."""
    sent = json.dumps(asking("Hello.", output_format=WAV)).encode() if body is None else body
    headers = KEY | VERSION | {"Content-Type": f"application/json; charset={charset}"}
    async with (
        speech_from(SCRIPTED) as server,
        aiohttp.ClientSession() as session,
        session.post(server.make_url("/tts/bytes"), data=sent, headers=headers) as answer,
    ):
        assert answer.status == status


async def test_newer_versions_get_structured_errors() -> None:
    """From 2026-03-01 on an error is an object with a title and a message."""
    newer = KEY | {"Cartesia-Version": "2026-03-01"}
    async with speech_from(SCRIPTED) as server, aiohttp.ClientSession() as session:
        body = asking("")
        async with session.post(server.make_url("/tts/bytes"), json=body, headers=newer) as answer:
            assert answer.status == 400
            assert (await answer.json())["title"] == "Invalid transcript"


async def test_a_finished_context_takes_no_more_text() -> None:
    """The last input said `continue: false`."""
    async with speech_from(SCRIPTED) as server, connected(server) as ws:
        await ws.send_json(asking("Hello."))
        await ws.send_json(asking("Hello again."))
        error = next(one for one in await until_done(ws) if one["type"] == "error")
    assert error["status_code"] == 400


async def test_a_script_fixes_the_first_audio() -> None:
    """Never before 90 ms after the first text, and on a quiet machine then: the best of five."""
    taken_s = []
    async with speech_from(SCRIPTED) as server, connected(server) as ws:
        for context_id in "abcde":
            sent_s = time.perf_counter()
            await ws.send_json(asking("I can help you with that.", context_id))
            assert (await ws.receive_json(timeout=5))["type"] == "chunk"
            taken_s.append(time.perf_counter() - sent_s)
            await until_done(ws, context_id)
    assert 0.088 <= min(taken_s) < 0.2


async def test_a_script_hums_as_long_as_the_text() -> None:
    """Loud from the first sample, over all pieces of the text, faster than it plays."""
    text = "I can help you with that."
    async with speech_from(SCRIPTED) as server, connected(server) as ws:
        sent_s = time.perf_counter()
        await ws.send_json(asking(text, **{"continue": True}))
        await ws.send_json(asking(text))
        samples = audio_of(await until_done(ws))
        taken_s = time.perf_counter() - sent_s
    assert len(samples) == pytest.approx(2 * len(text) * 0.06 * 16000, abs=2)
    assert abs(int(samples[0])) > 3000
    assert taken_s < len(samples) / 16000


async def test_bytes_come_as_a_wav_file_if_asked() -> None:
    """Container `wav` holds the same audio with its rate."""
    async with speech_from(SCRIPTED) as server, aiohttp.ClientSession() as session:
        body = asking("Hello.", output_format=WAV)
        async with session.post(server.make_url("/tts/bytes"), json=body, headers=KEY | VERSION) as answer:
            with wave.open(io.BytesIO(await answer.read())) as file:
                assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
                assert file.getnframes() == pytest.approx(len("Hello.") * 0.06 * 8000, abs=2)


@pytest.mark.parametrize(
    ("kind", "streamed", "error"),
    [
        ("429", True, APIStatusError),
        ("429", False, APIStatusError),
        ("500", True, APIStatusError),
        ("500", False, APIStatusError),
        ("hang", True, APITimeoutError),
        ("drop", True, APIError),
        ("drop", False, APIError),
    ],
)
async def test_faults_reach_the_plugin(kind: FaultKind, streamed: bool, error: type[Exception]) -> None:
    """Each kind becomes the plugin's own exception, over both transports."""
    failing = Behaviour(latency=Latency(ttfb=0.01), faults=[Fault(kind, 1.0)])
    async with speech_from(failing) as server, talking(server) as tts:
        with pytest.raises(error) as raised:
            await (stream_all(tts) if streamed else tts.synthesize(PARAGRAPH, conn_options=ONCE).collect())
    if kind in ("429", "500"):
        assert isinstance(raised.value, APIStatusError)
        assert raised.value.status_code == int(kind)


async def test_hanging_bytes_never_answer() -> None:
    """By hand, since the plugin waits 30 s for them."""
    failing = Behaviour(latency=Latency(ttfb=0.01), faults=[Fault("hang", 1.0)])
    async with speech_from(failing) as server, aiohttp.ClientSession(headers=KEY | VERSION) as session:
        patience = aiohttp.ClientTimeout(total=0.5)
        with pytest.raises(TimeoutError):
            await session.post(server.make_url("/tts/bytes"), json=asking("Hello."), timeout=patience)


async def test_drop_comes_after_the_first_audio() -> None:
    """The client has heard something when the connection goes away."""
    failing = Behaviour(latency=Latency(ttfb=0.01), faults=[Fault("drop", 1.0)])
    async with speech_from(failing) as server, connected(server) as ws:
        await ws.send_json(asking(PARAGRAPH))
        assert (await ws.receive(timeout=5)).json()["type"] == "chunk"
        assert (await ws.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


async def test_garbage_is_not_json() -> None:
    """In place of the first audio."""
    failing = Behaviour(latency=Latency(ttfb=0.01), faults=[Fault("garbage", 1.0)])
    async with speech_from(failing) as server, connected(server) as ws:
        await ws.send_json(asking("Hello."))
        with pytest.raises(json.JSONDecodeError):
            await ws.receive_json(timeout=5)


async def test_slow_adds_to_the_first_audio(monkeypatch: pytest.MonkeyPatch) -> None:
    """`SLOW_S` before anything is heard."""
    monkeypatch.setattr(cartesia_contexts, "SLOW_S", 0.4)
    failing = Behaviour(latency=Latency(ttfb=0.01), faults=[Fault("slow", 1.0)])
    async with speech_from(failing) as server, connected(server) as ws:
        await ws.send_json(asking("Hello."))
        sent_s = time.perf_counter()
        await ws.receive_json(timeout=5)
        assert time.perf_counter() - sent_s >= 0.4


async def test_later_contexts_can_fail_on_a_healthy_connection() -> None:
    """A pooled connection asks again for each context: 500 is then an error message."""
    failing = Behaviour(latency=Latency(ttfb=0.01), faults=[Fault("500", 0.5)])
    draws = iter([0.9, 0.1])
    failing.random.random = lambda: next(draws)  # type: ignore[method-assign]
    async with speech_from(failing) as server, connected(server) as ws:
        await ws.send_json(asking("Hello.", "a"))
        assert (await until_done(ws, "a"))[-1]["type"] == "done"
        await ws.send_json(asking("Hello.", "b"))
        assert (await until_done(ws, "b"))[-1]["status_code"] == 500
