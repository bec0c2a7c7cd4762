"""The data directory of `callpool up`: one `up` at a time, its LiveKit keys, and up.json."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from callpool.errors import CallpoolError, SettingError
from callpool.running import UP_FILE
from callpool.secrets import Secret
from callpool.settings import Settings

LOCK_FILE = "up.lock"
KEY_FILE = "livekit-api-key"
SECRET_FILE = "livekit-api-secret"  # noqa: S105 - a file name
GIVEN_SECRET_FILE = "livekit-api-secret-given"  # noqa: S105
SERVER_FILE = "livekit.yaml"
"""The LiveKit server's configuration, which holds the secret."""
SHORTEST_SECRET = 32
"""What LiveKit asks for, characters."""


@dataclass(frozen=True)
class Keys:
    """A LiveKit key pair."""

    api_key: str
    secret: Secret
    secret_file: Path
    """Holds the secret and nothing else."""


class DataDirectory:
    """Held by one `up` for its life. The lock goes with the process, however that ends."""

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock
        self._up_file = path / UP_FILE
        self.was_stale = self._up_file.exists()
        """Whether an `up` before this one ended without tidying up."""
        self._up_file.unlink(missing_ok=True)

    @classmethod
    def claim(cls, path: Path) -> DataDirectory:
        """Take the directory; make it (readable by its owner only) when there is none.

        Raises CallpoolError when another `up` has it, SettingError when it cannot be written to.
        """
        path = path.resolve()
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Not cut short when opened: until the lock is ours, another one's process id stands in it.
            lock = os.fdopen(os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        except OSError as error:
            expected = f"a directory that can be written to ({error.strerror})"
            raise SettingError("CALLPOOL_DATA_DIR", str(path), expected) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            pid = lock.read().strip()
            raise CallpoolError(_already_running(path, pid)) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return cls(path, lock)

    def livekit_keys(self, settings: Settings) -> Keys:
        """The keys that the settings give, or this directory's own, made at random at the first start."""
        given = settings.livekit
        names = {"livekit.api_key", "livekit.api_secret", "livekit.url"} & settings.given
        if not names:
            return self._own_keys()
        for variable, value in (("LIVEKIT_API_KEY", given.api_key), ("LIVEKIT_API_SECRET", given.api_secret)):
            if not value:
                raise SettingError(variable, "", "the other half of the LiveKit key pair that was given")
        if len(given.api_secret.reveal()) < SHORTEST_SECRET and "livekit.url" not in names:
            expected = f"at least {SHORTEST_SECRET} characters, which LiveKit asks for"
            raise SettingError("LIVEKIT_API_SECRET", given.api_secret, expected)
        file = self.path / GIVEN_SECRET_FILE
        write_private(file, given.api_secret.reveal())
        return Keys(given.api_key, given.api_secret, file)

    def _own_keys(self) -> Keys:
        key_file, secret_file = self.path / KEY_FILE, self.path / SECRET_FILE
        key, secret = _text(key_file), _text(secret_file)
        if not key or len(secret) < SHORTEST_SECRET:  # none yet, or what a full disk left of them
            key, secret = f"API{secrets.token_hex(6)}", secrets.token_urlsafe(36)
            write_private(key_file, key)
            write_private(secret_file, secret)
        return Keys(key, Secret(secret), secret_file)

    def publish(self, document: Mapping[str, object]) -> None:
        """Write up.json."""
        write_private(self._up_file, json.dumps(document, indent=2) + "\n")

    def release(self) -> None:
        """Remove up.json and a secret that was given, which may be kept in a vault; let the next `up` in."""
        for file in (self._up_file, self.path / GIVEN_SECRET_FILE, self.path / SERVER_FILE):
            with contextlib.suppress(OSError):  # the error that ended `up` is the one to be told
                file.unlink(missing_ok=True)
        self._lock.close()


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner can read it. Raises CallpoolError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise CallpoolError(f"{path} cannot be written: {error.strerror}") from error


def _text(path: Path) -> str:
    """What stands in a file; empty when there is none, or no text. Raises CallpoolError."""
    try:
        return path.read_text().strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    except OSError as error:
        raise CallpoolError(f"{path} cannot be read: {error.strerror}") from error


def _already_running(path: Path, pid: str) -> str:
    page = ""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        page = f", its page is {json.loads((path / UP_FILE).read_text()).get('web')}"
    return (
        f"callpool up runs already for {path} (process {pid or 'unknown'}{page}): "
        "stop it, or set CALLPOOL_DATA_DIR to another directory"
    )
