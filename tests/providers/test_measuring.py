"""What `callpool profiles --measure` measures: the real plugins against servers of known latency."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from chatting import AGENTS

from callpool import measuring, settings
from callpool.evaluation.report import Report
from callpool.local import cartesia, openai
from callpool.local.behaviour import Behaviour, Fault, FaultKind, Latency
from callpool.local.speaking import Speaking
from callpool.local.standin import StandIn
from callpool.measuring import Measured, measure_all
from callpool.profiles import Profiles

SLOW = Latency(ttft=0.2, ttfb=0.1)


@pytest.fixture
def _empty_roster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A roster that brings no scenarios: they take minutes."""
    (tmp_path / "roster_without_scenarios.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("roster_without_scenarios", None)


async def measured(fault: FaultKind | None = None) -> dict[str, Measured]:
    behaviour = Behaviour(latency=SLOW, faults=[Fault(fault, 1.0, "openai")] if fault else [])
    app = web.Application()
    app.add_routes(openai.routes(StandIn.load([AGENTS]), behaviour))
    app.add_routes(cartesia.routes(Speaking(), behaviour))
    async with TestServer(app, host="127.0.0.1") as server:
        origin = str(server.make_url("")).rstrip("/")
        made = settings.load(
            {
                "DEEPGRAM_BASE_URL": origin,
                "OPENAI_BASE_URL": f"{origin}/v1",
                "CARTESIA_BASE_URL": origin,
                "CALLPOOL_DEEPGRAM_MODEL": "local-moonshine",
                "CALLPOOL_OPENAI_MODEL": "local-standin",
                "CALLPOOL_CARTESIA_MODEL": "local-piper",
                "CALLPOOL_ROSTER": "roster_without_scenarios",
            }
        )
        return await measure_all(made, Profiles.read(made))


@pytest.mark.usefixtures("_empty_roster")
async def test_first_token_and_first_audio_are_measured_at_the_endpoints() -> None:
    """Every profile that can be used has both; what is one and the same model is measured once."""
    rows = await measured()
    assert list(rows) == ["balanced", "fast", "quality", "economy", "local"]
    for row in rows.values():
        assert row.first_token_ms == rows["local"].first_token_ms
        assert row.first_audio_ms == rows["local"].first_audio_ms
    assert rows["local"].first_token_ms == pytest.approx(200, abs=80)
    assert rows["local"].first_audio_ms == pytest.approx(100, abs=80)
    assert rows["local"].scenarios is None
    assert rows["local"].notes == ("roster_without_scenarios has no scenarios",)


@pytest.mark.usefixtures("_empty_roster")
async def test_a_provider_that_fails_is_named_and_not_timed() -> None:
    """The other parts are measured all the same."""
    local = (await measured("500"))["local"]
    assert local.first_token_ms is None
    assert local.first_audio_ms is not None
    assert local.notes[0].startswith("openai/local-standin failed: ")


async def test_what_tools_refuse_in_scenarios_is_not_printed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The table stands alone: a refusal that a scenario provokes is no fault."""

    async def play(*_: object) -> Report:
        logging.getLogger("livekit.agents").error("ToolError while executing tool")
        return Report("text", "local stand-in", (), 0.0)

    monkeypatch.setattr("callpool.evaluation.suite.run_folder", play)
    played = await measuring._play_scenarios(settings.load({}), "local")
    assert played == ((0, 0), "")
    assert caplog.records == []
