"""What a caller hears, and what the record says, when a provider fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callpool import ending, settings
from callpool.settings import Settings
from processes import any_ports, local_providers, started
from telephone import telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(240)]


@pytest.fixture(params=["openai.500:1", "deepgram.hang:1"])
def failing(
    request: pytest.FixtureRequest, tmp_path: Path, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Settings]:
    """A `callpool up` over a language model that answers with errors, or ears that hear nothing."""
    with local_providers(tmp_path, free_port(), "--fault", request.param) as origin:
        base_url = (
            {"OPENAI_BASE_URL": f"{origin}/v1"}
            if request.param.startswith("openai")
            else {"DEEPGRAM_BASE_URL": origin}
        )
        with started(tmp_path, any_ports(CALLPOOL_LIVEKIT_SERVER=str(livekit_program), **base_url)) as up:
            up.ready()
            yield settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)})


async def test_a_failing_provider_is_apologized_for(failing: Settings) -> None:
    """The caller hears words rather than silence; when it goes on failing, the call ends and says why."""
    async with telephone_of(failing) as telephone:
        call = await telephone.dial()
        assert "help" in await call.greeting()
        words = await call.say("Hello, I would like to know where my order is.")
        if "sorry" not in words:  # ears that hear nothing begin no turn: the wait and the apology are two
            assert "moment" in words
            words = await call.answer(time.monotonic())
        assert "sorry" in words
        while call.caller.connected:
            spoken = await call.caller.speak(await telephone.samples("Where is my order?"))
            await call.caller.wait_for_agent(spoken.ended_at)
        record = await telephone.ended(call.invitation.call_id)
        assert record.ending == ending.PROVIDER_FAILED
