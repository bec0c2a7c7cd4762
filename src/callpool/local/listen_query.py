"""The query of Deepgram's /v1/listen: what is asked for, checked as the service checks it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

LEAST_RATE_HZ = 4_000
HIGHEST_RATE_HZ = 192_000
DEFAULT_ENDPOINTING_MS = 10

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*|multi")


class QueryError(Exception):
    """A parameter cannot be used. The message is what the service's `err_msg` says after `Bad Request: `."""


@dataclass(frozen=True)
class ListenQuery:
    """A checked query. Parameters that the local engines have no use for are accepted and ignored."""

    encoding: str | None
    sample_rate_hz: int | None
    model: str
    language: str
    formatted: bool
    """Punctuation and capitals: `punctuate` or `smart_format`."""
    interim_results: bool
    vad_events: bool
    endpointing_ms: int | None
    """None: switched off."""
    utterance_end_ms: int | None
    detect_language: bool
    tag: str
    """What the client calls what it listens to; empty: nothing."""

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> ListenQuery:
        """Read a query. Raises QueryError."""
        model = query.get("model", "base")
        language = query.get("language", "en")
        if not _MODEL.fullmatch(model) or not _LANGUAGE.fullmatch(language):
            raise QueryError("No such model/language/tier combination found.")
        encoding = query.get("encoding")
        if encoding not in (None, "linear16"):
            raise QueryError(f"unsupported encoding `{encoding}`, expected `linear16`")
        sample_rate_hz = _whole(query, "sample_rate", LEAST_RATE_HZ, HIGHEST_RATE_HZ)
        _whole(query, "channels", 1, 1)
        interim_results = _flag(query, "interim_results")
        utterance_end_ms = _whole(query, "utterance_end_ms", 1, 60_000)
        if utterance_end_ms is not None and not interim_results:
            raise QueryError("utterance_end_ms requires interim_results=true")
        return cls(
            encoding=encoding,
            sample_rate_hz=sample_rate_hz,
            model=model,
            language=language,
            formatted=_flag(query, "punctuate") | _flag(query, "smart_format"),
            interim_results=interim_results,
            vad_events=_flag(query, "vad_events"),
            endpointing_ms=_endpointing(query),
            utterance_end_ms=utterance_end_ms,
            detect_language=_flag(query, "detect_language"),
            tag=query.get("tag", ""),
        )


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "false")
    if value not in ("true", "false"):
        raise QueryError(
            f"failed to deserialize query parameters: {name}: "
            f"provided string was not `true` or `false`: `{value}`"
        )
    return value == "true"


def _whole(query: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
        expected = f"{least}" if least == most else f"a number from {least} to {most}"
        raise QueryError(
            f"failed to deserialize query parameters: {name}: `{value}` is not valid, expected {expected}"
        )
    return int(value)


def _endpointing(query: Mapping[str, str]) -> int | None:
    match query.get("endpointing"):
        case None | "true":
            return DEFAULT_ENDPOINTING_MS
        case "false":
            return None
        case _:
            return _whole(query, "endpointing", 0, 60_000)
