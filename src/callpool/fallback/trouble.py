"""What went wrong with a provider: a word for it, and when it wants to be asked again."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Iterator, Mapping
from typing import Literal

from livekit.agents import APIError, APIStatusError, APITimeoutError, llm, stt, tts

Kind = Literal["429", "5xx", "4xx", "timeout", "dropped", "garbage"]
"""How a provider fails: asked too often, broken, refusing, silent, gone, or talking nonsense."""

_NOTED = "callpool_retry_after_s"
_STATUS_IN_MESSAGE = re.compile(r"'status_code': (\d{3})\b")
"""The Cartesia plugin puts the message into the error's text, and nowhere else."""
_NONSENSE = (ValueError, KeyError, TypeError, AttributeError, IndexError)
"""What reading an answer raises that is not one. JSON and base64 raise kinds of ValueError."""


def kind_of(error: BaseException) -> Kind:
    """The word for an error of a plugin's."""
    if isinstance(error, TimeoutError | APITimeoutError):
        return "timeout"
    match _status(error):
        case 429:
            return "429"
        case int(status) if 500 <= status < 600:
            return "5xx"
        case int(status) if 400 <= status < 500:
            return "4xx"
    return "garbage" if any(isinstance(cause, _NONSENSE) for cause in _causes(error)) else "dropped"


def may_be_asked_again(error: BaseException) -> bool:
    """Whether the same request may do better next time. A key that is refused will be refused again.

    The SDK marks an answer that broke off as not to be asked for again, since it would begin anew; here it is
    continued.
    """
    return kind_of(error) != "4xx" or _status(error) in (408, 499)


def _status(error: BaseException) -> int | None:
    """The status of an answer, or the one that a message on an open connection gives."""
    if isinstance(error, APIStatusError):
        return error.status_code
    given = _STATUS_IN_MESSAGE.search(error.message) if isinstance(error, APIError) else None
    return int(given[1]) if given else None


def remember_retry_after(event: llm.LLMError | stt.STTError | tts.TTSError) -> None:
    """For the `error` event of a plugin: note a `Retry-After` before it is lost.

    The plugins keep nothing of them but the cause of their error, and the SDK's streams, which raise it later
    on, put another in its place.
    """
    event.error.__dict__[_NOTED] = _retry_after_s(event.error)


def retry_after_s(error: BaseException) -> float:
    """How long the provider asked to be left alone, seconds; 0 when it said nothing of the kind."""
    noted = error.__dict__.get(_NOTED)
    return noted if isinstance(noted, float) else _retry_after_s(error)


def _retry_after_s(error: BaseException) -> float:
    for cause in _causes(error):
        headers = getattr(getattr(cause, "response", cause), "headers", None)
        if isinstance(headers, Mapping):
            return _asked_for_s({str(name).lower(): str(value) for name, value in headers.items()})
    return 0.0


def _asked_for_s(headers: Mapping[str, str]) -> float:
    """A header in milliseconds is OpenAI's; seconds, or a date, are HTTP's."""
    for text, unit_s in ((headers.get("retry-after-ms"), 0.001), (headers.get("retry-after"), 1.0)):
        if text is None:
            continue
        try:
            seconds = float(text) * unit_s
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
            except ValueError:
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return 0.0


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what led to it. The plugins hide causes from what is printed, for they may hold keys."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__
