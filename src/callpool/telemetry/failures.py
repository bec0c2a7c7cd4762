"""Exceptions as logs tell them: what kind, and where. What they say may be what a caller said."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator

from callpool.errors import CallpoolError

MOST_CAUSES = 3
MOST_FRAMES = 50

_LONG_NUMBER = re.compile(r"\d{6,}")
"""Longer than a port: a room that a phone made has the caller's number in its name."""
_FRAME = re.compile(r'[\s|+]*File "[^"\n]*", line \d+, in \S+')
_TITLE = re.compile(
    r"[\s|+-]*(?:(?:Exception Group )?Traceback|Stack) \(most recent call last\):"
    r"|The above exception was the direct cause of the following exception:"
    r"|During handling of the above exception, another exception occurred:"
)
_KIND = re.compile(r"[\s|]*([A-Za-z_][\w.]*)(?::|$)")


def described(error: BaseException) -> str:
    """An exception and its causes in a line: `APIConnectionError < ClientConnectorError: [Errno 111] …`."""
    return " < ".join(_named(one) for one in _chain(error))


def traced(error: BaseException) -> str:
    """An exception with its causes as a traceback of kinds, files, lines and functions."""
    parts = []
    for one in reversed(list(_chain(error))):
        frames = traceback.StackSummary.extract(traceback.walk_tb(one.__traceback__), lookup_lines=False)
        lines = [f'  File "{at.filename}", line {at.lineno}, in {at.name}' for at in frames[-MOST_FRAMES:]]
        parts.append("\n".join(["Traceback (most recent call last):", *lines, _named(one)]))
    text = "\n\n".join(parts)
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions[:MOST_CAUSES]:
            text += "\n" + "\n".join(f"  | {line}" for line in traced(inner).splitlines())
    return text


def without_texts(trace: str) -> str:
    """The same of a traceback that is a text already: no source lines, of exceptions their kinds alone."""
    kept, after_frame = [], False
    for line in trace.splitlines():
        if _TITLE.fullmatch(line):
            kept.append(line)
            after_frame = False
        elif frame := _FRAME.match(line):
            kept.append(frame[0])
            after_frame = True
        elif after_frame and not line.startswith("    ") and (kind := _KIND.match(line)):
            kept.append(kind[1])
            after_frame = False
    return "\n".join(kept)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen and len(seen) <= MOST_CAUSES:
        seen.add(id(at))
        yield at
        at = at.__cause__ or (None if at.__suppress_context__ else at.__context__)


def _named(error: BaseException) -> str:
    detail = _detail(error)
    return f"{type(error).__name__}: {detail}" if detail else type(error).__name__


def _detail(error: BaseException) -> str:
    """What may be told. The text of callpool's own errors names settings, files and servers; of any other one
    numbers alone, since nobody knows what was put into it: an answer of a provider, a row, a tool's argument.
    """
    if isinstance(error, CallpoolError):
        return _LONG_NUMBER.sub(lambda number: "*" * len(number[0]), str(error))
    if isinstance(error, OSError) and isinstance(error.errno, int):
        host, port = getattr(error, "host", None), getattr(error, "port", None)
        where = f" ({host}:{port})" if isinstance(host, str) and isinstance(port, int) else ""
        return f"[Errno {error.errno}] {os.strerror(error.errno)}{where}"
    for name in ("status_code", "status", "code"):
        if isinstance(number := getattr(error, name, None), int) and not isinstance(number, bool):
            return f"{name} {number}"
    state = getattr(error, "sqlstate", None)
    return f"sqlstate {state}" if isinstance(state, str) and re.fullmatch(r"\w{5}", state) else ""
