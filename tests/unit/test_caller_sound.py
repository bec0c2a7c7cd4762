"""What the synthetic caller takes for audible, and how it reads and writes recordings."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from callpool.caller.sound import RATE_HZ, Samples, audible_span, from_pcm, read_wav, to_wav
from callpool.errors import SettingError


def tone(seconds: float, rate_hz: int = RATE_HZ, peak: int = 8000) -> Samples:
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (np.sin(2 * np.pi * 300 * times) * peak).astype(np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), dtype=np.int16)


def write(path: Path, data: bytes, *, rate_hz: int = RATE_HZ, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(data)
    return path


def test_the_audible_span_is_that_of_the_voice() -> None:
    """Silence and hiss before and after do not count; a pause within does."""
    hiss = np.random.default_rng(1).integers(-60, 60, RATE_HZ // 2).astype(np.int16)
    span = audible_span(np.concatenate([hiss, tone(0.5), silence(0.3), tone(0.2), hiss]))
    assert span == (RATE_HZ // 2, round(1.5 * RATE_HZ))


def test_a_voice_that_ends_within_a_window_ends_with_it_or_with_the_recording() -> None:
    """The last window is not longer than what there is."""
    assert audible_span(tone(0.105)) == (0, round(0.105 * RATE_HZ))


def test_nothing_is_audible_in_silence() -> None:
    """No span rather than an empty one."""
    assert audible_span(silence(1)) is None
    assert audible_span(silence(0)) is None


@pytest.mark.parametrize("rate_hz", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
def test_recordings_of_any_rate_become_48_khz_mono(tmp_path: Path, rate_hz: int, channels: int) -> None:
    """Same length, same loudness."""
    data = np.repeat(tone(1, rate_hz), channels).tobytes()
    samples = read_wav(write(tmp_path / "tone.wav", data, rate_hz=rate_hz, channels=channels))
    assert len(samples) == pytest.approx(RATE_HZ, abs=RATE_HZ / 50)
    middle = samples[RATE_HZ // 4 : -RATE_HZ // 4].astype(np.float64)
    assert np.sqrt((middle**2).mean()) == pytest.approx(8000 / np.sqrt(2), rel=0.03)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "it ends too early"),
        (b"ID3\x03this is no WAV file at all", "RIFF"),
        (b"RIFF\x24\x00\x00\x00WAVE", "WAV file"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_in_one_line(
    tmp_path: Path, content: bytes, says: str
) -> None:
    """The line names the option, the file and what would be valid."""
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(SettingError) as refusal:
        read_wav(path)
    assert says in str(refusal.value)
    assert str(refusal.value).startswith("--wav is ")
    assert "\n" not in str(refusal.value)


def test_other_sample_formats_are_refused(tmp_path: Path) -> None:
    """8 bits, three channels, an absurd rate, nothing audible."""
    data = tone(0.1).tobytes()
    for path in (
        write(tmp_path / "width.wav", data, width=1),
        write(tmp_path / "channels.wav", data[: len(data) // 6 * 6], channels=3),
        write(tmp_path / "rate.wav", data, rate_hz=1000),
        write(tmp_path / "silent.wav", silence(1).tobytes()),
    ):
        with pytest.raises(SettingError, match=path.name):
            read_wav(path)


def test_a_half_sample_at_the_end_is_dropped() -> None:
    """A stream cut in the middle of a sample does not shift or break it."""
    assert np.array_equal(from_pcm(tone(0.1).tobytes() + b"\x01", RATE_HZ), tone(0.1))


def test_two_sides_become_two_channels() -> None:
    """The shorter side is filled up with silence."""
    with wave.open(io.BytesIO(to_wav(tone(0.2), tone(0.1)))) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE_HZ)
        sides = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16).reshape(-1, 2)
    assert np.array_equal(sides[:, 0], tone(0.2))
    assert np.array_equal(sides[: RATE_HZ // 10, 1], tone(0.1))
    assert not sides[RATE_HZ // 10 :, 1].any()
