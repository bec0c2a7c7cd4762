"""The exception tree. Every message names the setting or value at fault and what would be valid."""

from __future__ import annotations


class CallpoolError(Exception):
    """Something callpool can explain in one line. The command line prints the line and exits 1."""

    exit_code = 1


class SettingError(CallpoolError):
    """A setting, option or argument has a value that cannot be used. The command line exits 2."""

    exit_code = 2

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"{name} is {'not set' if value == '' else repr(value)}: expected {expected}")
        self.name = name
        self.expected = expected


class StoreError(CallpoolError):
    """The store cannot be opened, or its schema is not the one this version needs."""


class StoreAway(StoreError):
    """The store cannot be used right now: the same may succeed later."""


class ServerNotFound(CallpoolError):
    """There is no way to get a LiveKit server on this machine."""
