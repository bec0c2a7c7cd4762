"""Clips by the real plugin, before there is a call."""

from __future__ import annotations

from pathlib import Path

import pytest
from loopback import serving

from callpool import settings
from callpool.clips import KEYS, Clips, prepare
from callpool.fallback import tries
from callpool.local import cartesia
from callpool.local.behaviour import Behaviour, Fault
from callpool.local.speaking import Buzz
from callpool.profiles import Profiles
from callpool.voices import voice_name


def settings_for(base_url: str) -> settings.Settings:
    """Those of a worker whose voice is there."""
    keys = {"DEEPGRAM_API_KEY": "a", "OPENAI_API_KEY": "b"}
    return settings.load(keys | {"CARTESIA_BASE_URL": base_url.rstrip("/"), "CALLPOOL_LANGUAGES": "de,en"})


async def test_a_worker_makes_its_clips_before_its_first_call(tmp_path: Path) -> None:
    """In the language that calls begin in; calls with the same voice find them."""
    async with serving(cartesia.routes(Buzz(), Behaviour())) as server:  # type: ignore[arg-type]
        made = settings_for(str(server.make_url("")))
        await prepare(made, tmp_path / "clips")
    profile = Profiles.read(made).of_call(None)
    found = Clips(None, voice_name(made, profile.tts), tmp_path / "clips")  # type: ignore[arg-type]
    found.load("de-CH")
    assert "de" in found
    assert len(list((tmp_path / "clips").iterdir())) == len(KEYS)


async def test_a_worker_whose_voice_fails_starts_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no clips then, and its first call makes them."""
    monkeypatch.setattr("callpool.fallback.speech.PATIENCE_S", 0.5)
    monkeypatch.setattr(tries, "PATIENCE_S", 0.5)
    failing = Behaviour(faults=[Fault("500", 1.0)])
    async with serving(cartesia.routes(Buzz(), failing)) as server:  # type: ignore[arg-type]
        await prepare(settings_for(str(server.make_url(""))), tmp_path / "clips")
    assert not (tmp_path / "clips").exists()
