"""The doctor at the bedside of a real LiveKit server and a real `callpool up`."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from callpool import settings
from callpool.doctor import examine, servers
from callpool.settings import Settings
from conftest import LiveKitServer

pytestmark = [pytest.mark.call, pytest.mark.timeout(120)]


async def test_livekit_accepts_the_right_key_pair_only(livekit: LiveKitServer, tmp_path: Path) -> None:
    """A wrong secret and a wrong key are both told apart from a server that is not there."""
    async with aiohttp.ClientSession() as http:
        found = {}
        for name, changed in (
            ("right", {}),
            ("secret", {"LIVEKIT_API_SECRET": "x" * 40}),
            ("key", {"LIVEKIT_API_KEY": "other"}),
        ):
            wanted = settings.load(livekit.env | changed | {"CALLPOOL_DATA_DIR": str(tmp_path)})
            found[name] = await servers.livekit(http, wanted, None)
            assert (await servers.clock(http, wanted, None)).ok
    assert found["right"].ok
    for wrong in (found["secret"], found["key"]):
        assert wrong.ok is False
        assert "refuses the key pair" in wrong.detail


async def test_a_running_service_is_well(up_settings: Settings) -> None:
    """Everything that `callpool up` runs is found by itself, and the engines say and hear a sentence."""
    findings = await examine(up_settings)
    print("\n" + "\n".join(map(str, findings)))
    assert not [finding for finding in findings if not finding.ok]
    names = {finding.name for finding in findings}
    assert {"web", "worker", "local providers", "livekit", "clock", "store", "local engines"} <= names
