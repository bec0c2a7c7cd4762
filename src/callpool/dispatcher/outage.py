"""When something that the dispatcher needs is away: said once, waited for, and said when it is back."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
"""What failed is tried again after a pause that grows between these, seconds."""

logger = logging.getLogger(__name__)


def growing_pause_s(failures: int) -> float:
    """How long to wait after so many failures in a row, seconds: never the same for two processes."""
    pause_s = FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10)
    return min(LONGEST_PAUSE_S, pause_s) * random.uniform(0.8, 1.2)


@dataclass
class Outage:
    """Of one thing."""

    what: str
    failures: int = 0

    def seen(self, error: Exception, expected: type[Exception]) -> float:
        """It failed again; how long to wait, seconds. An error of another kind than `expected`, or than that
        of a time out, is a fault of ours, and logged with where it comes from."""
        self.failures += 1
        if self.failures == 1:
            known = isinstance(error, (expected, TimeoutError))
            logger.warning(
                "something is away",
                exc_info=None if known else error,
                extra={"action": "away", "what": self.what, "error": error},
            )
        return growing_pause_s(self.failures)

    def over(self) -> bool:
        """It answers. Whether that is news."""
        was_away, self.failures = self.failures > 0, 0
        if was_away:
            logger.info("back again", extra={"action": "back", "what": self.what})
        return was_away
