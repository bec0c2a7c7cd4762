"""What the value of a setting must be like."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

SMALLEST_MEMORY_LIMIT_MB = 256
"""Every job is above a smaller limit from its beginning, and would be ended at once."""

SHORTEST_SILENCE_S = 3.0
"""Jobs beat once a second, and two beats may be late."""

Check = Callable[[Any], str | None]
"""Gives None for a value that can be used, else what would be valid."""


def is_port(value: int) -> str | None:
    return None if 0 <= value <= 65535 else "a port from 0 to 65535 (0 means any free one)"


def at_least(least: float) -> Check:
    return lambda value: None if least <= value < math.inf else f"a number of at least {least:g}"


def between(least: float, most: float) -> Check:
    return lambda value: None if least <= value <= most else f"a number from {least:g} to {most:g}"


def one_of(*choices: str) -> Check:
    return lambda value: None if value in choices else f"one of {', '.join(choices)}"


def trace_page(value: str) -> str | None:
    good = "{trace_id}" in value and url("http", "https")(value.replace("{trace_id}", "0" * 32)) is None
    return (
        None if good else "an address with {trace_id} in it, such as http://127.0.0.1:16686/trace/{trace_id}"
    )


def memory_limit(value: int) -> str | None:
    good = value == 0 or value >= SMALLEST_MEMORY_LIMIT_MB
    return None if good else f"0 (no limit), or a number of at least {SMALLEST_MEMORY_LIMIT_MB}"


def silence(value: float) -> str | None:
    good = value == 0 or SHORTEST_SILENCE_S <= value <= 3600
    return None if good else f"0 (never), or a number from {SHORTEST_SILENCE_S:g} to 3600"


def host(value: str) -> str | None:
    try:
        value.encode("idna")  # as sockets do, with an error that is no OSError
        good = bool(value)  # an empty one would be every address of the machine
    except UnicodeError:
        good = False
    return None if good else "a host name or an address of this machine"


def module(value: str) -> str | None:
    # Python takes a name with a dot in front for one inside a package, and there is no package here.
    return None if all(value.split(".")) else "a module with a ROSTER, such as callpool_agents.roster"


def url(*schemes: str) -> Check:
    def check(value: str) -> str | None:
        try:
            parts = urlsplit(value)
            good = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good:
            return f"an address that starts with {' or '.join(s + '://' for s in schemes)}"
        return "an address without blanks, ? and #" if re.search(r"[\s?#]", value) else None

    return check


def origin(value: str) -> str | None:
    wrong = url("http", "https")(value)
    if wrong is None and urlsplit(value).path.strip("/"):
        wrong = "an origin without a path, such as http://127.0.0.1:9000"
    return wrong


def openai_base(value: str) -> str | None:
    wrong = url("http", "https")(value)
    if wrong is None and not urlsplit(value).path.rstrip("/").endswith("/v1"):
        wrong = "an address that ends in /v1"
    return wrong


def agent_name(value: str) -> str | None:
    good = re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", value)
    return None if good else "1 to 64 letters, digits, dots, dashes or underscores"


def store_url(value: str) -> str | None:
    good: object = re.match(r"sqlite(\+aiosqlite)?:///(?!$|\?|:memory:)|postgresql(\+asyncpg)?://.", value)
    try:
        good = good and (urlsplit(value).port or 1) > 0
        with_whole_path(value)
    except (ValueError, RuntimeError):  # the latter: a home that nobody has
        good = False
    return None if good else "sqlite:///PATH or postgresql://USER@HOST/DATABASE"


def with_whole_path(url: str) -> str:
    """The URL of a SQLite file with an absolute path; any other URL as it is."""
    if not url.startswith("sqlite"):
        return url
    return re.sub(r"(?<=:///)[^/?][^?]*", lambda path: str(Path(path[0]).expanduser().resolve()), url)


def languages(value: tuple[str, ...]) -> str | None:
    good = value and all(re.fullmatch("[a-z]{2}", code) for code in value) and len(set(value)) == len(value)
    return None if good else "ISO 639-1 codes, such as en,de,es, each of them once"


def stage_profiles(value: tuple[str, ...]) -> str | None:
    good = all(re.fullmatch(r"[a-z0-9_]+=[a-z0-9_]+", pair) for pair in value)
    return None if good else "STAGE=PROFILE pairs, such as problem_solving=quality"


def voices(value: tuple[str, ...]) -> str | None:
    good = all(re.fullmatch(r"[a-z]{2}=\S+", pair) for pair in value)
    return None if good else "LANGUAGE=VOICE pairs, such as de=ID"


def hide_passwords(text: str) -> str:
    """Give `text` with the passwords in its URLs replaced by `***`."""
    text = re.sub(r"(?<=://)([^/@:\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"(?i)([?&]password=)[^&\s]*", r"\1***", text)
