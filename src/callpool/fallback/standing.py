"""How the providers of a process fare: whom to ask first, and what the worker is told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from callpool.fallback.trouble import Kind, kind_of, retry_after_s
from callpool.line import Breaker, Observed
from callpool.profiles import Part

logger = logging.getLogger(__name__)

AVOIDED_S = 5.0
"""How long a provider that failed comes after the others, seconds. Doubled with each failure in a row."""
MOST_AVOIDED_S = 60.0
MOST_HONOURED_S = 15.0
"""How long a `Retry-After` keeps later turns from asking, seconds: a call cannot stand still for minutes."""


@dataclass
class _Lapse:
    failures: int = 0
    avoided_until_s: float = 0.0
    barred_until_s: float = 0.0


@dataclass
class Standing:
    """What this process knows of its providers, from its own call and from the worker's breakers."""

    tell: Callable[[Observed], None] = lambda observed: None
    """Told of everything that a provider does: to the worker."""
    failing: Callable[[Observed], None] = lambda observed: None
    """Told of failures: to the call's record."""
    clock: Callable[[], float] = time.monotonic
    _lapses: dict[tuple[str, Part], _Lapse] = field(default_factory=dict)
    _open: set[tuple[str, str]] = field(default_factory=set)

    def answered(self, provider: str, part: Part) -> None:
        """It did what it was asked for."""
        self._lapses.pop((provider, part), None)
        self.tell(Observed(provider, part, "ok"))

    def failed(self, provider: str, part: Part, kind: Kind, retry_after_s: float = 0.0) -> None:
        """It did not, and asked to be left alone for some seconds."""
        lapse, now_s = self._lapses.setdefault((provider, part), _Lapse()), self.clock()
        avoided_s = min(AVOIDED_S * 2.0**lapse.failures, MOST_AVOIDED_S)
        lapse.failures = min(lapse.failures + 1, 10)
        lapse.avoided_until_s = now_s + max(avoided_s, retry_after_s)
        lapse.barred_until_s = now_s + min(retry_after_s, MOST_HONOURED_S)
        observed = Observed(provider, part, kind)
        self.tell(observed)
        self.failing(observed)

    def raised(self, provider: str, part: Part, error: BaseException) -> None:
        """It failed with an error: the worker and the log are told."""
        kind = kind_of(error)
        self.failed(provider, part, kind, retry_after_s(error))
        logger.warning(
            "a provider fails",
            extra={
                "action": "provider_failed",
                "provider": provider,
                "part": part,
                "kind": kind,
                "error": error,
            },
        )

    def pause_s(self, provider: str, part: Part) -> float:
        """How long it still wants to be left alone, seconds."""
        lapse = self._lapses.get((provider, part))
        return 0.0 if lapse is None else max(0.0, lapse.barred_until_s - self.clock())

    def take(self, message: object) -> None:
        """A message of the worker's."""
        match message:
            case Breaker(provider=provider, part=part, open=True):
                self._open.add((provider, part))
            case Breaker(provider=provider, part=part):
                self._open.discard((provider, part))

    def is_shunned(self, provider: str, part: Part) -> bool:
        """Whether others are to be asked first."""
        lapse = self._lapses.get((provider, part))
        return (provider, part) in self._open or (lapse is not None and self.clock() < lapse.avoided_until_s)

    def is_broken(self, provider: str, part: Part) -> bool:
        """Whether the worker's breaker is open for it: all calls of the worker had it fail."""
        return (provider, part) in self._open

    def order(self, providers: Sequence[str], part: Part) -> list[int]:
        """In which order to ask: as they stand, those to be shunned last."""
        return sorted(range(len(providers)), key=lambda at: (self.is_shunned(providers[at], part), at))
