"""The Deepgram protocol: what is heard of a stream, and when, with the engine and with a script."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from aiohttp import WSMsgType
from listening import (
    SCRIPT,
    SCRIPTED,
    SENTENCES,
    Samples,
    Talk,
    connected,
    ended,
    listening,
    send,
    silence,
    talk,
    until,
)
from livekit.agents.stt import SpeechEventType as Kind

from callpool.local.behaviour import Behaviour
from callpool.local.hearing import Hearing

SPEECH_HZ = 48_000


@pytest.mark.engines
@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 48_000])
async def test_the_plugin_hears_what_was_said_at_any_rate(
    rate_hz: int, spoken: Callable[[str, int], Samples], hearing: Hearing
) -> None:
    """Words, their times and the start and end of speech arrive through the unmodified plugin."""
    speech = spoken(SENTENCES[3], rate_hz)
    audio = np.concatenate([silence(0.5, rate_hz), speech])
    async with listening(Behaviour(), hearing) as server:
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
    async with listening(Behaviour(), hearing) as server:
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
    async with listening(Behaviour(), hearing) as server:
        results = await asyncio.gather(
            *[
                talk(server, speech, 16_000, voice_ends_s=len(speech) / 16_000, enough=ended_after_the_voice)
                for _ in range(2)
            ]
        )
    delays = [result.times(Kind.FINAL_TRANSCRIPT)[-1] for result in results]
    print(f"\nfinals of two streams after {[round(delay * 1000) for delay in delays]} ms")
    assert max(delays) <= 2.0


def transcript(message: Any) -> str:
    return str(message["channel"]["alternatives"][0]["transcript"])


@pytest.mark.engines
async def test_events_follow_the_query(spoken: Callable[[str, int], Samples], hearing: Hearing) -> None:
    """SpeechStarted, interim and final Results and UtteranceEnd come in order, in the service's shapes."""
    audio = np.concatenate([silence(0.3, 16_000), spoken(SENTENCES[3], 16_000), silence(1.5, 16_000)])
    async with (
        listening(Behaviour(), hearing) as server,
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
    async with listening(Behaviour(), hearing) as server:
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
    async with listening(Behaviour(), hearing) as server, connected(server, punctuate="false") as socket:
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
    async with listening(Behaviour(), hearing) as server, connected(server, endpointing="500") as socket:
        await send(socket, audio)
        messages = await until(socket, lambda message: message["speech_final"])
    assert len(messages) >= 2
    assert " ".join(map(transcript, messages)).lower().count("order") == 3
    assert [message["speech_final"] for message in messages[:-1]] == [False] * (len(messages) - 1)


@pytest.mark.engines
async def test_a_script_replaces_the_engine_at_fixed_times(spoken: Callable[[str, int], Samples]) -> None:
    """The n-th utterance has the n-th text and language, 150 ms after its voice, across a 0.8 s pause."""
    first = np.concatenate([silence(0.3, SPEECH_HZ), spoken("My number is", SPEECH_HZ)])
    second = spoken("one two three", SPEECH_HZ)
    audio = np.concatenate([first, silence(0.8, SPEECH_HZ), second])
    async with listening(SCRIPTED) as server:
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
