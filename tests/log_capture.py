"""The log of this process, as `set_up_logs` makes it, for the time of a test."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from callpool import settings
from callpool.telemetry import log_context
from callpool.telemetry.logs import set_up_logs
from callpool.telemetry.otlp_logs import OtlpLogs


@contextmanager
def logging_to(process: str = "worker", **env: str) -> Iterator[OtlpLogs | None]:
    """With these variables. Everything is as it was before, afterwards."""
    root, hooks = logging.getLogger(), (sys.excepthook, threading.excepthook)
    handlers, level, raises = root.handlers[:], root.level, logging.raiseExceptions
    root.handlers = []  # pytest's own, which `force` would close
    try:
        exported = set_up_logs(settings.load({"CALLPOOL_LOG_FORMAT": "json"} | env), process)
        yield exported
        if exported is not None:
            exported.close()
    finally:
        log_context.unbind()
        root.handlers = handlers
        root.setLevel(level)
        logging.raiseExceptions = raises
        sys.excepthook, threading.excepthook = hooks


def records(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was written since the last time: one object a line."""
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]
