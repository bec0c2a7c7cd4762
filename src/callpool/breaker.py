"""A worker's circuit breakers: a provider that fails every call is left alone for a while.

Each call finds out for itself that a provider fails, and each would pay for it with a caller's time. The
worker hears of every failure and tells all its calls, which then ask others first, and wait less long where
there are no others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from callpool.line import Breaker, Observed

logger = logging.getLogger(__name__)

FAILURES = 3
"""So many failures …"""
WITHIN_S = 10.0
"""… within this time, without an answer between them, open a breaker, seconds."""
PAUSE_S = 5.0
"""How long a breaker stays open at first, seconds. Doubled when the provider still fails after it."""
MOST_PAUSE_S = 60.0


class Timer(Protocol):
    """What is to be done after a time, as `asyncio.TimerHandle`."""

    def cancel(self) -> None:
        """Have it not done."""


@dataclass
class _State:
    failed_at_s: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    pause_s: float = PAUSE_S
    open: bool = False
    half_open: bool = False
    """Whether the pause is over and nothing has come of it yet."""
    pause: Timer | None = None
    """While it is open: the end of its pause."""


class Breakers:
    """One for each provider and part."""

    def __init__(
        self,
        tell: Callable[[Breaker], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        later: Callable[[float, Callable[[], None]], Timer] | None = None,
    ) -> None:
        """`tell` is given each change; `later` calls something after a time in seconds (None: the loop's)."""
        self._tell = tell
        self._clock = clock
        self._later = later or (lambda delay_s, do: asyncio.get_running_loop().call_later(delay_s, do))
        self._states: dict[tuple[str, str], _State] = {}

    @property
    def now(self) -> list[Breaker]:
        """All of them, as they stand."""
        return [Breaker(*key, open=state.open) for key, state in self._states.items()]

    def take(self, observed: Observed) -> None:
        """Note what a provider did."""
        key = (observed.provider, observed.part)
        state = self._states.setdefault(key, _State())
        if observed.kind == "ok":
            state.failed_at_s.clear()
            state.half_open, state.pause_s = False, PAUSE_S
            if state.open:
                self._close(key, state)
            return
        now_s = self._clock()
        state.failed_at_s.append(now_s)
        in_a_row = len(state.failed_at_s) == FAILURES and now_s - state.failed_at_s[0] <= WITHIN_S
        if not state.open and (in_a_row or state.half_open):
            if state.half_open:
                state.pause_s = min(2 * state.pause_s, MOST_PAUSE_S)
            state.half_open = False
            self._set(key, state, is_open=True)
            state.pause = self._later(state.pause_s, lambda: self._half_open(key, state))

    def _half_open(self, key: tuple[str, str], state: _State) -> None:
        state.half_open = True
        self._close(key, state)

    def _close(self, key: tuple[str, str], state: _State) -> None:
        if state.pause is not None:
            # Else it would end the pause of a later opening, too early.
            state.pause.cancel()
            state.pause = None
        self._set(key, state, is_open=False)

    def _set(self, key: tuple[str, str], state: _State, *, is_open: bool) -> None:
        state.open = is_open
        provider, part = key
        logger.warning(
            "a breaker opens" if is_open else "a breaker closes",
            extra={"action": "breaker", "provider": provider, "part": part, "pause_s": state.pause_s},
        )
        self._tell(Breaker(provider, part, open=is_open))
