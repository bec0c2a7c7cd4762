"""What the errors of plugins are called, and when they say that a provider will be back."""

from __future__ import annotations

import json
from email.utils import formatdate
from types import SimpleNamespace

import pytest
from livekit.agents import APIConnectionError, APIError, APIStatusError, APITimeoutError

from callpool.fallback.trouble import kind_of, may_be_asked_again, retry_after_s


def nonsense() -> APIConnectionError:
    """What a plugin makes of what it cannot read."""
    try:
        json.loads("<html>")
    except ValueError as error:
        made = APIConnectionError()
        made.__cause__ = error
    return made


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (APIStatusError("", status_code=429), "429"),
        (APIStatusError("", status_code=503), "5xx"),
        (APIStatusError("", status_code=401), "4xx"),
        (APIStatusError("", status_code=1006), "dropped"),
        (APIStatusError("", status_code=-1), "dropped"),
        (APIError("Cartesia returned error: {'type': 'error', 'status_code': 429}"), "429"),
        (APIError("Cartesia returned error: {'type': 'error', 'status_code': 500}"), "5xx"),
        (APIError("no audio frames were pushed"), "dropped"),
        (APITimeoutError(), "timeout"),
        (TimeoutError(), "timeout"),
        (APIConnectionError(), "dropped"),
        (nonsense(), "garbage"),
    ],
)
def test_each_error_has_a_word(error: Exception, kind: str) -> None:
    """The metrics and the breakers go by it."""
    assert kind_of(error) == kind


def test_a_refused_key_is_not_tried_again() -> None:
    """An answer that broke off is, whatever the SDK thinks of it."""
    assert not may_be_asked_again(APIStatusError("", status_code=401))
    assert may_be_asked_again(APIStatusError("", status_code=429))
    assert may_be_asked_again(APIConnectionError(retryable=False))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after-ms": "250", "Retry-After": "1"}, 0.25),
        ({"Retry-After": formatdate(0)}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "nan"}, 0.0),
        ({}, 0.0),
    ],
)
def test_a_provider_says_when_to_come_back(headers: dict[str, str], seconds: float) -> None:
    """In seconds, in milliseconds or by a date; anything else counts as nothing said."""
    error = APIStatusError("", status_code=429)
    error.__context__ = cause = Exception()
    cause.response = SimpleNamespace(headers=headers)  # type: ignore[attr-defined]
    assert retry_after_s(error) == seconds
