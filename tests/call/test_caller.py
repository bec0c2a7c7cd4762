"""The synthetic caller against an agent whose timing is known, over the real LiveKit server."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import signal
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from answerer import ANSWER_AFTER_S, GIVES_WAY_S, Answerer
from livekit import api

from callpool import settings
from callpool.caller import SyntheticCaller, run
from callpool.caller.sound import RATE_HZ, Samples
from callpool.settings import Settings
from callpool.web import tokens
from conftest import LiveKitServer
from processes import clean_environment, heed_control_c

pytestmark = [pytest.mark.call, pytest.mark.timeout(90)]

NEAR_MS = 60
"""How far a figure may be off: both sides' 10 ms windows, and a jitter buffer."""
QUEUES_MS = 60
"""What the answerer's own queue and the frames on the way may hold."""


def sentence(voice_s: float, pad_s: float = 0.15) -> Samples:
    """Something voice-like: a buzz with a pause of 100 ms in it, and silence before and after."""
    times = np.arange(round(voice_s * RATE_HZ)) / RATE_HZ
    buzz = np.sin(2 * np.pi * 180 * times) * 9000 + np.sin(2 * np.pi * 540 * times) * 3000
    buzz[len(buzz) // 2 : len(buzz) // 2 + RATE_HZ // 10] = 0
    return np.pad(buzz.astype(np.int16), round(pad_s * RATE_HZ))


def write_wav(path: Path, samples: Samples) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.tobytes())
    return path


@pytest.fixture
def livekit_settings(livekit: LiveKitServer, tmp_path: Path) -> Settings:
    return settings.load(livekit.env | {"CALLPOOL_DATA_DIR": str(tmp_path)})


def answerer(livekit: LiveKitServer, **options: float) -> Answerer:
    return Answerer(livekit.url, livekit.key, livekit.secret, **options)


@asynccontextmanager
async def joined(wanted: Settings, agent: Answerer | None) -> AsyncIterator[SyntheticCaller]:
    """A caller in a room, with the agent in it when there is one."""
    ticket = tokens.issue(wanted, tokens.Wish(kind="synthetic"), tokens.new_call_id())
    caller = SyntheticCaller()
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(agent.serve(ticket.room)) if agent else None
        try:
            await caller.join(ticket.livekit_url, ticket.token)
            yield caller
        finally:
            await caller.leave()
            if serving is not None:
                serving.cancel()


@asynccontextmanager
async def served(app: web.Application, port: int = 0) -> AsyncIterator[str]:
    """An application on loopback; gives its base URL."""
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def switchboard(wanted: Settings, agent: Answerer | None) -> AsyncIterator[str]:
    """A web API that sends the agent into the room of each call."""
    async with asyncio.TaskGroup() as group:

        async def start(request: web.Request) -> web.Response:
            assert request.headers["X-Callpool-Caller"] == "synthetic"
            assert request.headers["User-Agent"].startswith("callpool-call/")
            ticket = tokens.issue(wanted, tokens.Wish(kind="synthetic"), tokens.new_call_id())
            if agent is not None:
                serving.append(group.create_task(agent.serve(ticket.room)))
            return web.json_response(dataclasses.asdict(ticket), status=201)

        serving: list[asyncio.Task[None]] = []
        app = web.Application()
        app.router.add_post("/api/calls", start)
        try:
            async with served(app) as url:
                yield url
        finally:
            for task in serving:
                task.cancel()


@asynccontextmanager
async def providers_that_hear(words: str) -> AsyncIterator[str]:
    """A voice that buzzes and ears that always hear the same, in the protocols of Cartesia and Deepgram."""

    async def speak(request: web.Request) -> web.Response:
        wanted = await request.json()
        assert request.headers["X-API-Key"]
        assert request.headers["Cartesia-Version"]
        assert wanted["output_format"] == {
            "container": "raw",
            "encoding": "pcm_s16le",
            "sample_rate": RATE_HZ,
        }
        return web.Response(body=sentence(0.05 * len(wanted["transcript"])).tobytes())

    async def listen(request: web.Request) -> web.Response:
        assert request.headers["Authorization"].startswith("Token ")
        with wave.open(io.BytesIO(await request.read())) as heard:
            assert heard.getnframes() > 0.5 * heard.getframerate()
        transcript = {"alternatives": [{"transcript": words}]}
        return web.json_response({"results": {"channels": [transcript]}})

    app = web.Application()
    app.add_routes([web.post("/tts/bytes", speak), web.post("/v1/listen", listen)])
    async with served(app) as url:
        yield url


async def test_gaps_are_measured_as_they_are(livekit: LiveKitServer, livekit_settings: Settings) -> None:
    """Each gap is what the agent took, plus the way there and back, which its own notes tell."""
    agent = answerer(livekit)
    async with joined(livekit_settings, agent) as caller:
        greeting = await caller.wait_for_agent(caller.joined_at)
        assert greeting is not None
        print(f"\ntone on its way for {(greeting.started_at - agent.tones_at[0]) * 1000:.0f} ms")
        assert caller.first_audio_s == greeting.started_at - caller.joined_at
        ways_ms: list[tuple[float, float]] = []
        for turn, voice_s in enumerate((0.8, 1.4, 1.1)):
            spoken = await caller.speak(sentence(voice_s))
            answer = await caller.wait_for_agent(spoken.ended_at)
            assert answer is not None
            gap_ms = (answer.started_at - spoken.ended_at) * 1000
            there_ms = (agent.voice_ended_at[turn] - spoken.ended_at) * 1000
            back_ms = (answer.started_at - agent.tones_at[turn + 1]) * 1000
            print(f"gap {gap_ms:.0f} ms = {there_ms:.0f} there + agent + {back_ms:.0f} back")
            took_ms = (agent.tones_at[turn + 1] - agent.voice_ended_at[turn]) * 1000
            assert spoken.ended_at - spoken.started_at == pytest.approx(voice_s, abs=0.011)
            assert took_ms == pytest.approx(ANSWER_AFTER_S * 1000, abs=30)
            assert min(there_ms, back_ms) >= 0, "nothing is heard before it was said"
            ways_ms.append((there_ms, back_ms))
            assert answer.ended_at - answer.started_at == pytest.approx(agent.tone_s, abs=NEAR_MS / 1000)
        # The shortest ways, for jitter buffers grow while the machine is busy with something else.
        assert max(map(min, zip(*ways_ms, strict=True))) <= NEAR_MS + QUEUES_MS


async def test_a_busy_event_loop_does_not_move_the_figures(
    livekit: LiveKitServer, livekit_settings: Settings
) -> None:
    """The caller's own hiccups, up to 30 ms long, neither tear its voice nor date anything late."""
    agent = answerer(livekit)

    async def hiccup() -> None:
        while True:
            await asyncio.sleep(0.1)
            time.sleep(0.03)  # noqa: ASYNC251 - blocking the loop is the point

    async with joined(livekit_settings, agent) as caller:
        await caller.wait_for_agent(caller.joined_at)
        disturbing = asyncio.create_task(hiccup())
        spoken = await caller.speak(sentence(1.2))
        answer = await caller.wait_for_agent(spoken.ended_at)
        disturbing.cancel()
        assert answer is not None
        gap_ms = (answer.started_at - spoken.ended_at) * 1000
        print(f"\ngap {gap_ms:.0f} ms under hiccups")
        assert ANSWER_AFTER_S * 1000 <= gap_ms <= ANSWER_AFTER_S * 1000 + 350
        sent = caller.sent.between(spoken.started_at - 0.05, spoken.ended_at + 0.05)
        said = sentence(1.2, 0)
        windows = np.lib.stride_tricks.sliding_window_view(sent, len(said))
        assert (windows == said).all(axis=1).any(), "what was sent is what was said, without a tear"


async def test_a_barge_in_is_timed_to_the_end_of_the_agents_voice(
    livekit: LiveKitServer, livekit_settings: Settings
) -> None:
    """From the caller's first voiced 10 ms to the agent's last audible one, against the agent's own notes."""
    agent = answerer(livekit, tone_s=6.0)
    async with joined(livekit_settings, agent) as caller:
        started = await caller.wait_for_audio(caller.joined_at, 10)
        assert started is not None
        barge_in = await caller.barge_in(sentence(1.5))
        assert barge_in.silent_after_s is not None
        truth_s = agent.tone_ends_at[0] - barge_in.spoken.started_at
        print(f"\nsilent after {barge_in.silent_after_s:.3f} s; the agent stopped after {truth_s:.3f} s")
        assert barge_in.silent_after_s >= GIVES_WAY_S
        assert 0 <= (barge_in.silent_after_s - truth_s) * 1000 <= NEAR_MS + QUEUES_MS


async def test_an_agent_that_talks_on_is_not_called_silent(
    livekit: LiveKitServer, livekit_settings: Settings
) -> None:
    """A cough too short to stop the agent gives no figure for silence."""
    agent = answerer(livekit, tone_s=6.0)
    async with joined(livekit_settings, agent) as caller:
        assert await caller.wait_for_audio(caller.joined_at, 10) is not None
        cough = sentence(0.15)
        assert (await caller.barge_in(cough, timeout_s=2.0)).silent_after_s is None


async def test_an_agent_that_hangs_up_is_noticed(livekit: LiveKitServer, livekit_settings: Settings) -> None:
    """The room's end is the other side's doing, and its reason is known."""
    agent = answerer(livekit, hangs_up_after=0)
    async with joined(livekit_settings, agent) as caller:
        answer = await caller.wait_for_agent(caller.joined_at)
        assert answer is not None
        assert not answer.finished
        assert caller.hung_up
        assert caller.reason == "room_deleted"


async def test_both_sides_are_on_the_recording(livekit: LiveKitServer, livekit_settings: Settings) -> None:
    """What was heard is where it belongs in time, without holes or clicks in the tone."""
    agent = answerer(livekit)
    async with joined(livekit_settings, agent) as caller:
        greeting = await caller.wait_for_agent(caller.joined_at)
        assert greeting is not None
    tone = caller.heard.between(greeting.started_at + 0.1, greeting.ended_at - 0.1).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone))))
    strongest_hz = np.argmax(spectrum) * RATE_HZ / len(tone)
    assert strongest_hz == pytest.approx(400, abs=5)
    windows = tone[: len(tone) // 480 * 480].reshape(-1, 480)
    assert np.sqrt((windows**2).mean(axis=1)).min() > 2000, "no hole in the tone"


async def test_a_call_is_told_in_json(
    livekit: LiveKitServer,
    livekit_settings: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One document: who spoke when, the words of both, gaps, first audio; and the recording in stereo."""
    agent = answerer(livekit)
    recording = write_wav(tmp_path / "question.wav", sentence(0.9))
    saved = tmp_path / "call.wav"
    async with providers_that_hear("Hello there.") as providers, switchboard(livekit_settings, agent) as url:
        code = await run(
            with_providers(livekit_settings, providers),
            say=["Where is my order?"],
            wav=[recording],
            url=url,
            language=None,
            save=saved,
            as_json=True,
        )
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert told["answered"]
    assert not told["agent_hung_up"]
    assert told["call_id"].startswith("c_")
    assert told["room"] == f"call-{told['call_id']}"
    assert 0 < told["first_audio_ms"] < 5000
    spoken = [(entry["who"], entry["text"]) for entry in told["entries"] if entry["who"] != "note"]
    assert spoken == [
        ("agent", "Hello there."),
        ("caller", "Where is my order?"),
        ("agent", "Hello there."),
        ("caller", "(question.wav)"),
        ("agent", "Hello there."),
    ]
    gaps = [entry["gap_ms"] for entry in told["entries"] if entry["gap_ms"] is not None]
    assert len(gaps) == 2
    assert all(ANSWER_AFTER_S * 1000 <= gap <= ANSWER_AFTER_S * 1000 + 350 for gap in gaps)
    with wave.open(str(saved)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE_HZ)
        assert file.getnframes() / RATE_HZ == pytest.approx(told["duration_s"], abs=0.1)
        sides = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).reshape(-1, 2)
    for side, who in enumerate(("caller", "agent")):
        entry = next(entry for entry in told["entries"] if entry["who"] == who)
        heard = sides[round(entry["at_s"] * RATE_HZ) : round(entry["end_s"] * RATE_HZ)]
        loudness = np.sqrt((heard.astype(np.float64) ** 2).mean(axis=0))
        assert loudness[side] > 1000
        assert loudness[1 - side] < 100, "the other side was silent meanwhile"


async def test_a_call_is_told_as_it_happens(
    livekit: LiveKitServer,
    livekit_settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A line each, with the time, the speaker, the gap and the words; the hang-up is noted."""
    agent = answerer(livekit, hangs_up_after=1)
    async with providers_that_hear("Goodbye.") as providers, switchboard(livekit_settings, agent) as url:
        code = await run(
            with_providers(livekit_settings, providers),
            say=["Thank you, goodbye.", "Are you still there?"],
            wav=[],
            url=url,
            language=None,
            save=None,
            as_json=False,
        )
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert [line.split()[2] for line in lines[:-1]] == ["note", "agent", "caller", "agent", "note"]
    assert lines[2].endswith("Thank you, goodbye.")
    assert " ms  Goodbye." in lines[3]
    assert "room_deleted" in lines[4]
    assert "first audio" in lines[-1]


async def test_nobody_answering_is_a_failure(
    livekit_settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and one line, after the patience and not long after it; the room is left."""
    recording = write_wav(tmp_path / "question.wav", sentence(0.5))
    async with switchboard(livekit_settings, None) as url:
        begun = time.monotonic()
        code = await run(
            livekit_settings,
            say=[],
            wav=[recording],
            url=url,
            language=None,
            save=None,
            as_json=True,
            patience_s=1.5,
        )
    printed = capsys.readouterr()
    told = json.loads(printed.out)
    assert code == 1
    assert not told["answered"]
    assert told["first_audio_ms"] is None
    assert printed.err.count("\n") == 1
    assert f"nobody answered within 1.5 s of joining {told['room']}" in printed.err
    assert 1.5 <= time.monotonic() - begun < 6
    assert await present(livekit_settings, told["room"]) == 0


async def test_control_c_leaves_the_room(
    livekit_settings: Settings, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Interrupted in the middle of waiting, the command ends with 130 and the caller is gone."""
    recording = write_wav(tmp_path / "question.wav", sentence(0.5))
    async with switchboard(livekit_settings, None) as url:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "callpool", "call", "--wav", str(recording), "--url", url),
            env=clean_environment(CALLPOOL_DATA_DIR=str(tmp_path)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=heed_control_c,
        )
        try:
            assert process.stdout is not None
            line = (await process.stdout.readline()).decode()
            room = line.split()[-1]
            assert "joined" in line, (await process.communicate())[1].decode()
            assert await present(livekit_settings, room) == 1
            process.send_signal(signal.SIGINT)
            _, errors = await asyncio.wait_for(process.communicate(), 10)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert await present(livekit_settings, room) == 0


async def test_the_real_agent_is_called_from_the_command_line(up_settings: Settings) -> None:
    """`callpool call` finds the running service by itself, and transcribes what the agent says."""
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "callpool",
            "call",
            "--json",
            "Hello, I would like to know where my order is.",
        ),
        env=clean_environment(CALLPOOL_DATA_DIR=str(up_settings.local.data_dir)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, errors.decode()
    told = json.loads(output)
    said = [entry["text"].lower() for entry in told["entries"] if entry["who"] == "agent"]
    print(f"\nfirst audio {told['first_audio_ms']} ms, gaps {[e['gap_ms'] for e in told['entries']]}, {said}")
    assert "help" in said[0]
    assert "number" in said[-1], "whatever was said to the hello that the ears may take for a turn"


def with_providers(wanted: Settings, url: str) -> Settings:
    """The settings with the local providers at that address."""
    port = int(url.rpartition(":")[2])
    return dataclasses.replace(wanted, local=dataclasses.replace(wanted.local, providers_port=port))


async def present(wanted: Settings, room: str) -> int:
    """How many participants LiveKit counts in the room."""
    server = wanted.livekit
    async with api.LiveKitAPI(server.url, server.api_key, server.api_secret.reveal()) as livekit:
        rooms = (await livekit.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms
        if not rooms:
            return 0
        return len(
            (await livekit.room.list_participants(api.ListParticipantsRequest(room=room))).participants
        )
