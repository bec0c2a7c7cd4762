"""The Deepgram protocol: recordings, sent whole."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Callable

import aiohttp
import numpy as np
import pytest
from listening import KEY, SCRIPTED, SENTENCES, Samples, listening, silence, wav
from livekit import rtc
from livekit.plugins import deepgram as plugin

from callpool.local.behaviour import Behaviour
from callpool.local.hearing import Hearing
from callpool.local.recording import read_recording


@pytest.mark.engines
async def test_a_recording_is_transcribed(spoken: Callable[[str, int], Samples], hearing: Hearing) -> None:
    """WAV of any rate and raw samples give the same words, through the plugin and by hand."""
    speech = spoken(SENTENCES[3], 24_000)
    async with listening(Behaviour(), hearing) as server, aiohttp.ClientSession() as session:
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


def with_rate(rate_hz: int) -> bytes:
    """A WAV file of half a second whose header claims a rate."""
    body = bytearray(wav(silence(0.5, 16_000), 16_000))
    struct.pack_into("<I", body, 24, rate_hz)
    return bytes(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"RIFF....", b"not audio at all", *map(with_rate, (0, 1, 3_999, 192_001, 4_000_000_000))],
    ids=["empty", "cut", "text", "0 Hz", "1 Hz", "too slow", "too fast", "absurd"],
)
async def test_a_broken_recording_is_refused(body: bytes) -> None:
    """What is neither WAV nor announced as raw samples is corrupt, as the service says."""
    async with (
        listening(SCRIPTED) as server,
        aiohttp.ClientSession() as session,
        session.post(server.make_url("/v1/listen"), data=body, headers=KEY) as reply,
    ):
        assert reply.status == 400
        assert "corrupt or unsupported data" in (await reply.json())["err_msg"]


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100])
def test_wav_of_any_kind_is_the_same_sound(bits: int, channels: int, rate_hz: int) -> None:
    """A second of a tone keeps its length and loudness."""
    tone = np.sin(2 * np.pi * 300 * np.arange(rate_hz) / rate_hz) / 4
    scaled = (tone * 2**31).astype("<i4").repeat(channels)
    if bits == 8:
        data = ((scaled >> 24) + 128).astype(np.uint8).tobytes()
    else:
        data = scaled.view(np.uint8).reshape(-1, 4)[:, 4 - bits // 8 :].tobytes()
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(bits // 8)
        writer.setframerate(rate_hz)
        writer.writeframes(data)

    samples = read_recording(file.getvalue(), None, None)
    middle = samples[4_000:12_000].astype(float)
    assert len(samples) == pytest.approx(16_000, abs=2)
    assert np.sqrt((middle**2).mean()) == pytest.approx(32768 / 4 / np.sqrt(2), rel=0.03)


def test_a_cut_wav_file_gives_what_there_is() -> None:
    """An upload that broke off, even in the middle of a sample, is heard up to there."""
    body = wav(silence(1, 16_000), 16_000)
    assert len(read_recording(body[: 44 + 2 * 8_000 + 1], None, None)) == 8_000
