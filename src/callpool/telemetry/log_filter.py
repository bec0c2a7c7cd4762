"""What every log record goes through before anything is written or sent: no secrets, nothing personal.

A record leaves it with three things that may be told: its message (`record.msg`, finished), its fields
(`fields_of(record)`) and its exception, which is one of them. Everything else that was in it is gone, so
that no handler can tell more, whichever there are.
"""

from __future__ import annotations

import enum
import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import PurePath
from types import TracebackType
from typing import Any
from uuid import UUID

from callpool.call import call_in
from callpool.privacy.masking import mask
from callpool.telemetry import log_context
from callpool.telemetry.constants import LEFT_OUT, constant_of
from callpool.telemetry.failures import described, traced, without_texts
from callpool.telemetry.log_fields import HARMLESS, IDENTIFIERS, is_personal
from callpool.telemetry.redaction import HIDDEN, Redaction, is_secret

OURS = ("callpool", "callpool_agents", "callpool_tools")
"""Packages whose log calls are known: constant messages, and fields that say nothing about a caller."""
MOST_CHARACTERS = 4000
MOST_ITEMS = 50
DEEPEST = 4

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_FIELDS = "callpool_fields"
_ONLY_DIGITS = re.compile(r"\+?[\d_.-]{7,}")

Fields = Mapping[str, Any]


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What the filter has left of a record's fields: texts, numbers, and lists and dictionaries of them."""
    fields: dict[str, Any] = getattr(record, _FIELDS, {})
    return fields


class LogFilter(logging.Filter):
    """For every handler of the root logger. Changes records in place, once, and lets all of them pass."""

    def __init__(
        self, redaction: Redaction, process: str, context: Callable[[], Fields] = log_context.bound
    ) -> None:
        super().__init__()
        self._redaction = redaction
        self._process = process
        self._context = context

    def filter(self, record: logging.LogRecord) -> bool:
        """Never raises: what cannot be cleaned is not told."""
        try:
            self._clean(record)
        except Exception as error:
            for name in set(vars(record)) - _STANDARD:
                delattr(record, name)
            _finish(record, "a log record could not be read")
            setattr(record, _FIELDS, {"process": self._process, "error": type(error).__name__})
        return True

    def _clean(self, record: logging.LogRecord) -> None:
        done: Fields | None = getattr(record, _FIELDS, None)
        names = [name for name in vars(record) if name not in _STANDARD and name != _FIELDS]
        extra = {name: record.__dict__.pop(name) for name in names}
        if done is not None:  # by the job that it comes from; the SDK has added fields since
            setattr(record, _FIELDS, {**self._of_others(extra), **done})
            return
        ours = record.name.partition(".")[0] in OURS
        message, exception = self._message(record), _exception(record)
        fields = {"process": self._process, **self._of_ours(self._context())}
        fields |= self._of_ours(extra) if ours else self._of_others(extra)
        if exception:
            fields["exception"] = self._redaction.hide(exception)
        _finish(record, message)
        setattr(record, _FIELDS, fields)

    def _message(self, record: logging.LogRecord) -> str:
        message = constant_of(record)
        if record.args:
            try:
                message = message % _arguments(record.args)
            except (TypeError, ValueError, KeyError):
                message = str(message)
        return self._redaction.hide(message)[:MOST_CHARACTERS]

    def _of_ours(self, extra: Fields) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for name, value in extra.items():
            if name == "room":
                fields |= _room(value)
            elif not is_personal(name):
                fields[self._redaction.hide(name)] = self._value(name, value)
        return {name: value for name, value in fields.items() if value is not None}

    def _of_others(self, extra: Fields) -> dict[str, Any]:
        return {
            self._redaction.hide(name): self._value(name, value)
            for name, value in extra.items()
            if not is_personal(name) and (_is_number(value) or (name in HARMLESS and isinstance(value, str)))
        }

    def _value(self, name: str, value: object, depth: int = 0) -> Any:
        """A value that may be told, of plain types; None for one that may not."""
        if isinstance(value, enum.Enum):
            value = value.value
        match value:
            case bool() | None:
                return value
            case int() | float():
                return value if math.isfinite(value) else str(value)
            case str():
                return self._text(name, value)
            case BaseException():
                return self._redaction.hide(described(value))[:MOST_CHARACTERS]
            case Mapping():
                return self._mapping(value, depth) if depth < DEEPEST else LEFT_OUT
            case list() | tuple() | set() | frozenset():
                return self._items(name, value, depth) if depth < DEEPEST else LEFT_OUT
            case PurePath() | date() | Decimal() | UUID():
                return self._redaction.hide(str(value))
            case type():
                return value.__name__
        return f"<{type(value).__name__}>"

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        return {
            self._text("", str(key)): self._value(str(key), one, depth + 1)
            for key, one in list(value.items())[:MOST_ITEMS]
            if not (is_personal(str(key)) or str(key) == "room")
        }

    def _items(self, name: str, value: Iterable[Any], depth: int) -> list[Any]:
        return [self._value(name, one, depth + 1) for one in list(value)[:MOST_ITEMS]]

    def _text(self, name: str, text: str) -> str:
        if is_secret(name):
            return HIDDEN
        text = self._redaction.hide(text)[:MOST_CHARACTERS]
        return text if name in IDENTIFIERS and not _ONLY_DIGITS.fullmatch(text) else mask(text)


class _LeftOut:
    def __str__(self) -> str:
        return LEFT_OUT

    __repr__ = __str__


def _arguments(arguments: object) -> Any:
    """The values of a message. Texts are left out: they are where the words of callers are."""
    if isinstance(arguments, Mapping):
        return {key: _argument(value) for key, value in arguments.items()}
    return tuple(_argument(value) for value in arguments) if isinstance(arguments, tuple) else ()


def _argument(value: object) -> object:
    if _is_number(value) or value is None:
        return value
    if isinstance(value, type | BaseException):
        return (value if isinstance(value, type) else type(value)).__name__
    return _LeftOut()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, enum.Enum)


def _room(value: object) -> dict[str, Any]:
    return {"call_id": call_in(value)} if isinstance(value, str) else {}


def _exception(record: logging.LogRecord) -> str:
    told = []
    match record.exc_info:
        case (_, BaseException() as error, TracebackType() | None):
            told.append(traced(error))
        case _ if record.exc_text:
            told.append(without_texts(record.exc_text))
    if record.stack_info:
        told.append(without_texts(record.stack_info))
    return "\n".join(told)


def _finish(record: logging.LogRecord, message: str) -> None:
    record.msg, record.args = message, None
    record.exc_info = record.exc_text = record.stack_info = None
