"""What of a log message is written in the code, and what was put into it.

A message with values in it (an f-string) is one text by the time it is logged, and what a caller said may be
among the values. The parts that the code spells out are constants of the function that logs, so a message
is held against those; what is none of them is left out.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FrameType

LEFT_OUT = "…"
CALLERS = 3
"""How many functions are looked at: one that logs for others is given the message by its caller."""

_PROSE = re.compile(r"\w\s|\s\w")
_KNOWN = (
    "Task exception was never retrieved",
    "Future exception was never retrieved",
    "Task was destroyed but it is pending!",
    "Unclosed client session",
    "Unclosed connector",
    "Unclosed connection",
    "Executing <",
)
"""Beginnings of messages that come from code without constants: C, or generated."""


def constant_of(record: logging.LogRecord) -> str:
    """The message of a record, before its arguments are put in, with `…` for what is no constant.

    To be called while the record is being logged: afterwards nobody knows who did.
    """
    message = str(record.msg)
    if known := next(filter(message.startswith, _KNOWN), None):
        return f"{known} {LEFT_OUT}"
    found: list[str] = []
    for frame in _loggers(record):
        whole, parts = _constants(frame.f_code)
        if message in whole:
            return message
        if parts is not None:
            kept = parts.findall(message)
            if sum(map(len, kept)) > sum(map(len, found)):
                found = kept
    return _joined(message, found) if found else LEFT_OUT


def _joined(message: str, parts: list[str]) -> str:
    text, at = "", 0
    for part in parts:
        begins = message.index(part, at)
        text += (LEFT_OUT if begins > at else "") + part
        at = begins + len(part)
    return text + (LEFT_OUT if at < len(message) else "")


def _loggers(record: logging.LogRecord) -> Iterator[FrameType]:
    # A private name, and the one that `logging` itself finds `pathname` by; test_log_filter.py fails when
    # it is gone.
    frame: FrameType | None = sys._getframe()
    while frame is not None and (
        frame.f_code.co_filename != record.pathname or frame.f_code.co_name != record.funcName
    ):
        frame = frame.f_back
    for _ in range(CALLERS):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


@lru_cache(2048)
def _constants(code: CodeType) -> tuple[frozenset[str], re.Pattern[str] | None]:
    whole = frozenset(_texts(code.co_consts))
    # Single words are names of fields and the like, which may be in any text by chance.
    prose = sorted((text for text in whole if _PROSE.search(text)), key=len, reverse=True)
    return whole, re.compile("|".join(map(re.escape, prose))) if prose else None


def _texts(constants: object) -> Iterator[str]:
    if isinstance(constants, str):
        yield constants
    elif isinstance(constants, tuple | frozenset):
        for constant in constants:
            yield from _texts(constant)
