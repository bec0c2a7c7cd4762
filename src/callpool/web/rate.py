"""How many calls one client address may start in a minute."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

WINDOW_S = 60.0
ADDRESSES_KEPT = 4096
"""Bounds the memory: the address that has been quiet longest is forgotten first."""


@dataclass
class Rate:
    """Counts calls per address over a sliding minute, on an injected clock (seconds, monotonic)."""

    per_minute: int
    clock: Callable[[], float] = time.monotonic
    addresses_kept: int = ADDRESSES_KEPT
    _starts: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)

    def admit(self, address: str) -> int:
        """Count one call. Gives 0, or, when it is one too many, after how many whole seconds to ask again."""
        now = self.clock()
        caller = _caller(address)
        starts = self._starts.setdefault(caller, deque())
        self._starts.move_to_end(caller)
        while starts and starts[0] <= now - WINDOW_S:
            starts.popleft()
        if len(starts) >= self.per_minute:
            return max(1, math.ceil(starts[0] + WINDOW_S - now))
        starts.append(now)
        while len(self._starts) > self.addresses_kept:
            self._starts.popitem(last=False)
        return 0

    def __len__(self) -> int:
        """Addresses kept in memory."""
        return len(self._starts)


def _caller(address: str) -> str:
    """An IPv6 network of 64 bits counts as one address: its owner has 2^64 of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)
