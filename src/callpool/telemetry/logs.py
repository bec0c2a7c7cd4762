"""Logs of a process: a constant message and its fields, as JSON for programs or as text for people."""

from __future__ import annotations

import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

from aiohttp.http_exceptions import HttpProcessingError
from structlog.processors import JSONRenderer
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from callpool.settings import Settings
from callpool.telemetry.log_filter import LogFilter, fields_of
from callpool.telemetry.otlp_logs import OtlpLogs
from callpool.telemetry.redaction import Redaction
from callpool.telemetry.resource import Role

QUIET = ("aiohttp.access", "asyncio", "httpx", "httpx2", "httpcore", "openai", "alembic", "livekit.api")
"""Libraries that speak at INFO of what a reader of callpool's log does not look for."""
NOT_IN_TEXT = ("process", "trace_id", "span_id", "exception")
"""Fields for programs, and the one that has lines of its own."""
COLOURS = {"warning": 33, "error": 31, "critical": 31}

logger = logging.getLogger(__name__)


def is_ours(record: logging.LogRecord) -> bool:
    """Whether a server's error is its own. A client's malformed request is not, and gets its 400 anyway."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def set_up_logs(settings: Settings, process: Role) -> OtlpLogs | None:
    """Send this process's log to stderr and, where an endpoint is set, to a collector, of which this gives
    the handler.

    Everything goes through one filter, tracebacks of what nobody caught included. Job processes forward
    their records to the worker's log: see `set_up_logs_of_job`.
    """
    telemetry = settings.telemetry
    clean = LogFilter(Redaction.of(settings), process)
    shown = logging.StreamHandler(sys.stderr)
    shown.setFormatter(formatter(telemetry.log_format, sys.stderr))
    exported = OtlpLogs.of(settings, process)
    handlers: list[logging.Handler] = [shown, exported] if exported is not None else [shown]
    for handler in handlers:
        handler.addFilter(clean)
    _warm_up(clean)
    logging.basicConfig(level=telemetry.log_level.upper(), handlers=handlers, force=True)
    # A record that cannot be written would be printed as it is: with everything the filter has taken out.
    logging.raiseExceptions = False
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.server").addFilter(is_ours)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    return exported


def set_up_logs_of_job(settings: Settings) -> None:
    """Clean what this job process logs before it leaves for the worker."""
    clean = LogFilter(Redaction.of(settings), "job")
    _warm_up(clean)
    logging.raiseExceptions = False
    for handler in logging.getLogger().handlers:
        handler.addFilter(clean)


def _warm_up(clean: LogFilter) -> None:
    """Have the patterns compiled before anybody waits for the first record."""
    clean.filter(logging.makeLogRecord({"name": "callpool", "msg": "ready", "what": "1234"}))


def formatter(log_format: str, stream: TextIO) -> ProcessorFormatter:
    """For records that the filter has cleaned. `log_format`: json, text, or auto (text on a terminal)."""
    on_terminal = stream.isatty()
    if log_format == "text" or (log_format == "auto" and on_terminal):
        return ProcessorFormatter(foreign_pre_chain=[_add_fields], processors=[_AsText(on_terminal)])
    return ProcessorFormatter(
        foreign_pre_chain=[_add_fields, _add_time],
        processors=[ProcessorFormatter.remove_processors_meta, _in_order, JSONRenderer(ensure_ascii=False)],
    )


def _add_fields(_: WrappedLogger, level: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    return {**fields_of(record), **event, "level": level, "logger": record.name}


def _add_time(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    # When it was logged: a record of a job is written a moment later.
    at = datetime.fromtimestamp(event["_record"].created, UTC)
    event["timestamp"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _in_order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    first = {name: event.pop(name) for name in ("timestamp", "level", "event", "logger")}
    return first | dict(event)


class _AsText:
    """`12:30:01.250 INFO    message action=… field=…`, and an exception below it."""

    def __init__(self, coloured: bool) -> None:
        self._coloured = coloured

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> str:
        level, record = event.pop("level"), event.pop("_record")
        del event["logger"], event["_from_structlog"]
        shown_level = f"{level.upper():<7}"
        if self._coloured and (colour := COLOURS.get(level)):
            shown_level = f"\x1b[{colour}m{shown_level}\x1b[0m"
        at = datetime.fromtimestamp(record.created).isoformat(timespec="milliseconds").partition("T")[2]
        exception = event.pop("exception", "")
        line = f"{at} {shown_level} {_one_line(event.pop('event'))}"
        for name, value in event.items():
            if name not in NOT_IN_TEXT:
                line += f" {name}={_one_line(value)}"
        return f"{line}\n{exception}" if exception else line


def _one_line(value: object) -> str:
    return str(value).replace("\r", "\\r").replace("\n", "\\n").replace("\x1b", "\\x1b")


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logger.critical("nobody caught an exception", exc_info=error, extra={"action": "uncaught"})


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        logger.critical("nobody caught an exception", exc_info=args.exc_value, extra={"action": "uncaught"})
