"""Hides secrets in texts: those of the settings, and whatever looks like one."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, urlsplit

from callpool.checks import hide_passwords
from callpool.provider_settings import LOCAL_KEY
from callpool.secrets import Secret
from callpool.settings import Settings

HIDDEN = "***"
SHORT = 8
"""A secret with fewer characters is hidden where it stands as a word, and not inside of others."""
LONG_LINE = 16
"""Lines of a secret of several lines (a private key) with this many characters are secrets, too."""

_NAME = r"api[-_]?key|access[-_]?key|token|secret|password|passwd|pwd|authorization|credentials?|cookie"
_SECRET_NAME = re.compile(rf"(?:.*[-_.])?(?:{_NAME})", re.IGNORECASE)
_LOOKS = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"\beyJ[\w-]{4,}(?:\.[\w-]*){1,4}"), HIDDEN),  # a JSON Web Token
    (re.compile(r"\b(bearer)\s+[\w.~+/=-]+", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(basic|token)\s+(?=\S*\d)[\w.~+/=-]{8,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    (re.compile(r"\b(?:sk|gsk|pk|rk|hvs|hvb|ghp|gho|glpat|xox[a-z])[-_.][\w.*-]{6,}"), HIDDEN),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), HIDDEN),  # an access key of AWS
    (
        re.compile(
            rf"((?:{_NAME})[\"']?\s*[=:]\s*[\"']?)(?!\*\*\*|bearer\b|basic\b)[^\s\"'&,;}}]+", re.IGNORECASE
        ),
        rf"\1{HIDDEN}",
    ),
)


def is_secret(name: str) -> bool:
    """Whether a field's name says that its value is a secret: `api_key`, `access_token`."""
    return _SECRET_NAME.fullmatch(name) is not None


class Redaction:
    """Knows some secrets, and hides them in whatever form they are in a text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        patterns = [
            re.escape(form) if len(form) >= SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
            for form in sorted(forms, key=len, reverse=True)
        ]
        self._known = re.compile("|".join(patterns)) if patterns else None

    @classmethod
    def of(cls, settings: Settings) -> Redaction:
        """One that knows every secret of the settings, and the passwords in their URLs."""
        return cls({*_secrets(settings), *_header_values(settings.telemetry.headers)} - {LOCAL_KEY})

    def hide(self, text: str) -> str:
        """The text with every secret replaced by `***`."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = hide_passwords(text)
        for look, replacement in _LOOKS:
            text = look.sub(replacement, text)
        return text


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, Secret):
        text = value.reveal().strip()
        scheme, _, rest = text.partition(" ")
        yield from (text, rest if scheme.lower() in ("bearer", "basic", "token") else "")
        yield from (line.strip() for line in text.splitlines() if len(line.strip()) >= LONG_LINE)
    elif isinstance(value, str):
        if "://" in value:
            yield from _password(value)
    elif dataclasses.is_dataclass(value):
        for entry in dataclasses.fields(value):
            yield from _secrets(getattr(value, entry.name))
    elif isinstance(value, tuple):
        for part in value:
            yield from _secrets(part)


def _password(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield from (password, unquote(password))


def _header_values(headers: Secret) -> Iterator[str]:
    """The values in `name=value,name=value`, each of which may be in a text without the others."""
    for pair in headers.reveal().split(","):
        value = unquote(pair.partition("=")[2]).strip()
        yield from _secrets(Secret(value))


def _forms(secret: str) -> Iterator[str]:
    """How a secret may be written: as it is, in a URL, in a repr, in JSON."""
    if not secret.strip():
        return
    yield from (secret, quote(secret, safe="", errors="replace"), quote(secret, errors="replace"))
    yield from (quote_plus(secret, errors="replace"), repr(secret)[1:-1])
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
