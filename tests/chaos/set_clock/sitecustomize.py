"""The wall clock of a worker and of its jobs, which is ahead by as many seconds as a file says.

Python runs this first in every process that finds it on its path. Other programs keep the machine's clock,
and the monotonic clock is nobody's to set.
"""

import datetime
import os
import time
from pathlib import Path
from typing import Any

real_time, real_datetime = time.time, datetime.datetime
file = Path(os.environ["SET_CLOCK"])


def set_time() -> float:
    return real_time() + (float(file.read_text()) if file.exists() else 0.0)


class Kind(type):
    """What C code makes is a datetime, too."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, real_datetime)


class SetDatetime(real_datetime, metaclass=Kind):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return real_datetime.fromtimestamp(set_time(), tz)


if any(part in Path("/proc/self/cmdline").read_text() for part in ("\0worker\0", "forkserver")):
    time.time = set_time
    datetime.datetime = SetDatetime  # type: ignore[misc]
