"""A telephone at a real `callpool up`: LiveKit server, local providers, worker and web."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from telephone import Telephone, telephone_of

from callpool.settings import Settings


@pytest.fixture
async def telephone(up_settings: Settings) -> AsyncIterator[Telephone]:
    async with telephone_of(up_settings) as telephone:
        yield telephone


@pytest.fixture
def up_log(up_settings: Settings) -> Callable[[], str]:
    """Gives the one log of all its processes, as it stands."""
    return (up_settings.local.data_dir.parent / "up.log").read_text
