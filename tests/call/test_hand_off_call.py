"""Hand-offs in a real call: what the caller says while one agent follows the other is not lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from tap import Tap, tap, telephone_behind_taps

from processes import any_ports, local_providers
from telephone import Telephone

pytestmark = [pytest.mark.call, pytest.mark.timeout(180)]


@pytest.fixture
async def ears(tmp_path: Path, free_port: Callable[[], int]) -> AsyncIterator[Tap]:
    """A tap before the local providers."""
    with local_providers(tmp_path, free_port()) as origin:
        async with tap(origin) as ears:
            yield ears


@pytest.fixture
async def telephone(ears: Tap, tmp_path: Path, livekit_program: Path) -> AsyncIterator[Telephone]:
    """A telephone at a `callpool up` that hears through the tap, and speaks English only."""
    env = any_ports(
        CALLPOOL_LIVEKIT_SERVER=str(livekit_program),
        CALLPOOL_LANGUAGES="en",
        DEEPGRAM_BASE_URL=ears.url,
        OPENAI_BASE_URL=f"{ears.upstream}/v1",
        CARTESIA_BASE_URL=ears.upstream,
        CALLPOOL_DEEPGRAM_MODEL="local-moonshine",
        CALLPOOL_OPENAI_MODEL="local-standin",
        CALLPOOL_CARTESIA_MODEL="local-piper",
    )
    async with telephone_behind_taps(tmp_path, env, engines=ears.upstream) as telephone:
        yield telephone


async def test_all_agents_of_a_call_hear_over_one_connection(telephone: Telephone, ears: Tap) -> None:
    """A new connection at a hand-off would lose the words that are on their way in the old one."""
    call = await telephone.dial()
    await call.greeting()
    assert "name" in await call.say("Where is my order? The number is one two three four five.")
    record = await telephone.calls.get(call.invitation.call_id)
    assert record is not None
    assert len(record.stages) == 2
    assert len(ears.streams) == 1
