"""`Secret`, and how the text of a secret setting becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from callpool.errors import SettingError


class Secret:
    """A value that shows itself only when asked by name: not in a repr, a log line or a traceback."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def resolve_secret(name: str, value: str, env: Mapping[str, str]) -> Secret:
    """Turn a setting's text into a secret: `file:///path`, `env://NAME`, or the plain value itself.

    Raises SettingError, which shows the URL but never a plain value, also when there is nothing in the place.
    """
    if "://" not in value:
        return Secret(value)
    url = urlsplit(value)
    match url.scheme:
        case "file":
            try:
                secret = Secret(Path(value.removeprefix("file://")).read_text().strip())
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "not text"
                raise SettingError(
                    name, value, f"a readable file with the secret in it ({reason})"
                ) from error
            if not secret:
                raise SettingError(name, value, "a file with the secret in it (it is empty)")
            return secret
        case "env":
            if not (text := env.get(url.netloc, "").strip()):
                wrong = "empty" if url.netloc in env else "unset"
                raise SettingError(
                    name, value, f"the name of an environment variable ({url.netloc} is {wrong})"
                )
            return Secret(text)
        case scheme:
            raise SettingError(name, f"{scheme}://…", "a plain value, file:///path or env://NAME")
