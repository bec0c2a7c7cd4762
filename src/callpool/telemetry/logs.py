"""Logs: a constant message, then its fields."""

from __future__ import annotations

import logging
import sys

from aiohttp.http_exceptions import HttpProcessingError

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

QUIET = ("aiohttp.access", "asyncio", "httpx", "httpx2", "httpcore", "openai", "alembic", "livekit.api")
"""Libraries that speak at INFO of what a reader of callpool's log does not look for."""


def is_personal(field: str) -> bool:
    """Whether a field may hold what a caller said or is: the SDK marks such keys with a `pii` segment."""
    return "pii" in field.split(".")


class FieldsFormatter(logging.Formatter):
    """`12:30:01.250 INFO message action=… field=…`, one line a record. Personal fields are left out."""

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = {
            name: value
            for name, value in vars(record).items()
            if name not in _STANDARD
            and not name.startswith("_")
            and value is not None
            and not is_personal(name)
        }
        return super().formatMessage(record) + "".join(f" {name}={value}" for name, value in fields.items())


def is_ours(record: logging.LogRecord) -> bool:
    """Whether a server's error is its own. A client's malformed request is not, and gets its 400 anyway."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def set_up_logs(level: int = logging.INFO) -> None:
    """Send this process's log to stderr. Job processes forward theirs to the worker's."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldsFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(is_ours)
