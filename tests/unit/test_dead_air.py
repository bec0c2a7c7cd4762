"""What a caller hears while nothing comes, and when they hear it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import APIConnectionError
from livekit.agents.voice import io

from callpool import ending
from callpool.call import Call
from callpool.clips import KEYS, Clips
from callpool.dead_air import DeadAir, Loudspeaker
from callpool.service_phrases import words
from fake_session import FakeSession

RATE_HZ = 24000
PATIENCE_S = 0.8


def sound(seconds: float, value: int = 1) -> rtc.AudioFrame:
    samples = round(seconds * RATE_HZ)
    return rtc.AudioFrame((1000 * value).to_bytes(2, "little") * samples, RATE_HZ, 1, samples)


class Sink(io.AudioOutput):
    """Plays at once, and remembers what: a number for each frame, `|` at the end of a segment."""

    def __init__(self) -> None:
        capabilities = io.AudioOutputCapabilities(pause=True)
        super().__init__(label="sink", capabilities=capabilities, sample_rate=RATE_HZ)
        self.played: list[str] = []
        self.holds = False

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        kind = str(int(frame.data[0]) // 1000)
        if self.played[-1:] != [kind]:
            self.played.append(kind)

    def flush(self) -> None:
        super().flush()
        self.played.append("|")
        if not self.holds:
            self.finish()

    def finish(self, *, interrupted: bool = False) -> None:
        asyncio.get_running_loop().call_soon(
            lambda: self.on_playback_finished(playback_position=1.0, interrupted=interrupted)
        )

    def clear_buffer(self) -> None:
        self.played.append("x")
        self.finish(interrupted=True)


class FakeVoice:
    """Says everything as a hundred milliseconds of sound, unless it fails."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.fails = False

    def synthesize(self, text: str) -> Any:
        self.said.append(text)
        fails = self.fails

        class Stream:
            async def __aenter__(self) -> Any:
                return self._audio()

            async def __aexit__(self, *_: object) -> None: ...

            async def _audio(self) -> AsyncIterator[Any]:
                if fails:
                    raise APIConnectionError
                yield type("Audio", (), {"frame": sound(0.1, 7)})

        return Stream()


@pytest.fixture
async def clips() -> Clips:
    made = Clips(FakeVoice(), "a")  # type: ignore[arg-type]
    await made.make(lambda: "en")
    return made


async def test_an_answer_waits_for_a_clip_that_is_being_heard() -> None:
    """It goes on right after it, and the session hears of its own speech alone."""
    sink = Sink()
    sink.holds = True
    loudspeaker = Loudspeaker(sink)
    finished: list[Any] = []
    loudspeaker.on("playback_finished", finished.append)
    clip = asyncio.create_task(loudspeaker.slip_in(sound(0.1, 7)))
    await asyncio.sleep(0)
    answer = asyncio.create_task(loudspeaker.capture_frame(sound(0.1, 1)))
    await asyncio.sleep(0.05)
    assert sink.played == ["7", "|"]
    sink.finish()
    await asyncio.gather(clip, answer)
    assert finished == []
    sink.holds = False
    loudspeaker.flush()
    await loudspeaker.wait_for_playout()
    assert sink.played == ["7", "|", "1", "|"]
    assert len(finished) == 1


async def test_a_clip_does_not_break_into_a_speech_that_is_being_heard() -> None:
    """One that is complete, and still played."""
    sink = Sink()
    sink.holds = True
    loudspeaker = Loudspeaker(sink)
    await loudspeaker.capture_frame(sound(0.1))
    loudspeaker.flush()
    assert not await loudspeaker.slip_in(sound(0.1, 7))
    assert sink.played == ["1", "|"]


async def test_a_clip_fills_the_gap_in_an_answer_that_stalls() -> None:
    """It is part of the same segment, which ends once."""
    sink = Sink()
    loudspeaker = Loudspeaker(sink)
    await loudspeaker.capture_frame(sound(0.1))
    assert await loudspeaker.slip_in(sound(0.1, 7))
    await loudspeaker.capture_frame(sound(0.1))
    loudspeaker.flush()
    await loudspeaker.wait_for_playout()
    assert sink.played == ["1", "7", "1", "|"]


async def test_a_caller_who_speaks_ends_a_clip() -> None:
    """As they end everything that is said to them."""
    sink = Sink()
    sink.holds = True
    loudspeaker = Loudspeaker(sink)
    clip = asyncio.create_task(loudspeaker.slip_in(sound(0.1, 7)))
    await asyncio.sleep(0.01)
    loudspeaker.cut_clip()
    assert await clip
    assert sink.played == ["7", "|", "x"]


class Waiting(FakeSession):
    """A session whose caller waits, with an output that plays at once."""

    def __init__(self, clips: Clips) -> None:
        super().__init__()
        self.sink = Sink()
        self.output = self  # type: ignore[assignment]
        self.audio: Any = self.sink
        session: Any = self
        self.dead_air = DeadAir(session, clips, patience_s=PATIENCE_S)
        self.dead_air.start()

    def replace_audio_tail(self, sink: Loudspeaker) -> None:
        self.audio = sink

    async def speaks(self, for_s: float) -> None:
        self.caller("speaking")
        # The caller's clock is the loop's: a sleep is what is measured.
        await asyncio.sleep(for_s)
        self.caller("listening")

    async def says(self, seconds: float = 0.05) -> None:
        await self.audio.capture_frame(sound(seconds))
        self.audio.flush()

    @property
    def clips_heard(self) -> int:
        return self.sink.played.count("7")


@pytest.fixture
async def session(clips: Clips) -> AsyncIterator[Waiting]:
    waiting = Waiting(clips)
    yield waiting
    waiting.emit("close", None)


async def test_a_caller_who_waits_is_told_so(session: Waiting) -> None:
    """First that it takes a moment, later that it takes longer: never as often as to annoy."""
    session.agent("thinking")
    await asyncio.sleep(PATIENCE_S + 0.3)
    assert session.clips_heard == 1
    await asyncio.sleep(5 * (PATIENCE_S + 0.3))
    assert session.clips_heard == 4


async def test_an_answer_in_time_has_no_clip_before_it(session: Waiting) -> None:
    """Nor after it, while the caller thinks."""
    await session.speaks(1.0)
    session.agent("thinking")
    await asyncio.sleep(PATIENCE_S / 2)
    session.agent("speaking")
    await session.says()
    session.agent("listening")
    await asyncio.sleep(3 * PATIENCE_S)
    assert session.clips_heard == 0


async def test_words_that_nobody_hears_are_waited_for_as_well(session: Waiting) -> None:
    """Speech to text hangs: no turn begins, and the caller is told to wait all the same."""
    await session.speaks(1.0)
    await asyncio.sleep(PATIENCE_S + 0.3)
    assert session.clips_heard == 1


async def test_a_cough_is_not_waited_for(session: Waiting) -> None:
    """Nobody expects an answer to it."""
    await session.speaks(0.2)
    await asyncio.sleep(2 * PATIENCE_S)
    assert session.clips_heard == 0


async def test_a_call_that_is_over_is_silent(session: Waiting) -> None:
    """After the goodbye nothing takes a moment."""

    assert isinstance(session.userdata, Call)
    session.userdata.end(ending.GOODBYE)
    session.agent("thinking")
    await asyncio.sleep(2 * PATIENCE_S)
    assert session.clips_heard == 0


async def test_clips_are_made_once_for_all_calls_of_a_worker(tmp_path: Path) -> None:
    """By the first call whose voice was heard; each voice has its own."""
    first, second, other = FakeVoice(), FakeVoice(), FakeVoice()
    await Clips(first, "a", tmp_path / "clips").make(lambda: "en")  # type: ignore[arg-type]
    assert first.said == [words(key, "en") for key in KEYS]
    again = Clips(second, "a", tmp_path / "clips")  # type: ignore[arg-type]
    again.load("en")
    assert "en" in again
    assert "de" not in again
    clip = again.get("filler", "en-GB")
    assert clip is not None
    assert clip.duration == pytest.approx(0.1)
    await Clips(other, "b", tmp_path / "clips").make(lambda: "en")  # type: ignore[arg-type]
    assert len(other.said) == len(KEYS)


async def test_jobs_that_make_the_same_clip_at_once_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs are forked: what is in their memory is the same, addresses included."""
    folder = tmp_path / "clips"
    clips = Clips(FakeVoice(), "a", folder)  # type: ignore[arg-type]
    clip = sound(0.1, 7)
    rename, siblings = Path.rename, iter([Clips(FakeVoice(), "a", folder)])  # type: ignore[arg-type]
    monkeypatch.setattr("callpool.clips.id", lambda _: 1, raising=False)

    def rename_after_a_sibling(path: Path, target: Path) -> Path:
        if sibling := next(siblings, None):
            making = threading.Thread(target=lambda: asyncio.run(sibling.make(lambda: "en")))
            making.start()
            making.join()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_after_a_sibling)
    await clips.make(lambda: "en")
    found = Clips(FakeVoice(), "a", folder)  # type: ignore[arg-type]
    found.load("en")
    assert "en" in found
    assert (made := found.get("filler", "en")) is not None
    assert bytes(made.data) == bytes(clip.data)
    assert len(list(folder.iterdir())) == len(KEYS)


def filler_in(folder: Path) -> Path:
    (path,) = folder.glob("filler-*.wav")
    return path


def partial_files_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.suffix != ".wav"]


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def overwritten(path: Path) -> None:
    path.write_bytes(b"<html>" * 100)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [cut_short, emptied, overwritten, a_folder])
async def test_a_clip_that_cannot_be_read_is_as_good_as_none(
    spoil: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so once, and it is made anew where that can be."""
    await Clips(FakeVoice(), "a", tmp_path).make(lambda: "en")  # type: ignore[arg-type]
    spoil(filler_in(tmp_path))
    voice = FakeVoice()
    clips = Clips(voice, "a", tmp_path)  # type: ignore[arg-type]
    clips.load("en")
    assert clips.get("filler", "en") is None
    assert clips.get("apology", "en") is not None
    await clips.make(lambda: "en")
    assert voice.said == [words("filler", "en")]
    assert "en" in clips
    told = [record.message for record in caplog.records]
    assert told.count("a clip cannot be read") == 1
    assert told.count("a clip could not be kept") == (spoil is a_folder)
    assert not partial_files_in(tmp_path)


async def test_a_call_reads_its_clips_beside_its_loop(tmp_path: Path) -> None:
    """A disk that is slow or broken holds nobody up."""
    await Clips(FakeVoice(), "a", tmp_path).make(lambda: "en")  # type: ignore[arg-type]
    emptied(filler_in(tmp_path))
    loop_thread, threads = threading.get_ident(), set()

    class Noting(Clips):
        def load(self, language: str) -> None:
            threads.add(threading.get_ident())
            super().load(language)

    waiting = Waiting(clips := Noting(FakeVoice(), "a", tmp_path))  # type: ignore[arg-type]
    waiting.dead_air.expect()
    async with asyncio.timeout(5):
        while clips.get("farewell", "en") is None:
            await asyncio.sleep(0.01)
    waiting.emit("close", None)
    assert loop_thread not in threads


async def test_a_voice_that_fails_is_asked_for_its_clips_another_time() -> None:
    """What was made before is kept."""
    voice = FakeVoice()
    voice.fails = True
    clips = Clips(voice, "a")  # type: ignore[arg-type]
    await clips.make(lambda: "en")
    assert "en" not in clips
    voice.fails = False
    await clips.make(lambda: "en")
    assert "en" in clips


async def test_no_clip_is_kept_that_was_spoken_in_another_language() -> None:
    """A caller's language is found while the clips of the first one are made."""
    voice = FakeVoice()
    languages = iter(["en", "en", "de", "de"])
    clips = Clips(voice, "a")  # type: ignore[arg-type]
    await clips.make(lambda: next(languages))
    assert clips.get(KEYS[0], "en") is not None
    assert clips.get(KEYS[1], "en") is None
