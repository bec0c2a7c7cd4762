"""Speech to text with a second pair of ears."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from livekit.agents import stt

ATTEMPT_S = 4.0
"""How long one speech to text may take to connect before the next one listens, seconds: meanwhile the caller
is not heard."""
RETRY_S = 0.3


def listening(members: Sequence[stt.STT[Any]]) -> stt.STT[Any]:
    """The only one of `members`, or a chain of them."""
    if len(members) == 1:
        return members[0]
    return stt.FallbackAdapter(
        list(members), attempt_timeout=ATTEMPT_S, max_retry_per_stt=1, retry_interval=RETRY_S
    )
