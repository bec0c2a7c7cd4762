"""Free ports for `callpool up`, and who is in the way of one that was asked for."""

from __future__ import annotations

import errno
import os
import random
import socket
from collections.abc import Callable
from typing import Literal

import psutil

from callpool.errors import SettingError
from callpool.settings import Settings, fields

Transport = Literal["tcp", "udp"]

ANY_FREE = range(10_000, 32_000)
"""Below those that the system gives to outgoing connections, which could take one before it is used."""
TRIES = 200


class Ports:
    """Chooses a port per listener; no two get the same."""

    def __init__(self, settings: Settings, host: str, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._host = host
        self._say = say
        self._chosen: set[int] = set()
        self._variables = {f"{group}.{name}": entry.metadata["env"] for group, name, entry in fields()}

    def choose(self, key: str, transport: Transport = "tcp", host: str = "") -> int:
        """The port for setting `key` (`web.port`): the one it names; a free one for 0 and for a busy default.

        Raises SettingError when a port that was asked for is taken, and names the process that has it.
        """
        group, name = key.split(".")
        wanted: int = getattr(getattr(self._settings, group), name)
        where = host or self._host
        if wanted and wanted not in self._chosen:
            trouble = refused(where, wanted, transport)
            if trouble is None:
                self._chosen.add(wanted)
                return wanted
        elif wanted:
            trouble = "another part of callpool up has it"
        if wanted and key in self._settings.given:
            raise SettingError(self._variables[key], wanted, f"a free port, or 0 for any free one: {trouble}")
        port = self._any_free(where, transport)
        if wanted:
            self._say(f"{self._variables[key]}: {port} instead of {wanted}, since {trouble}")
        return port

    def _any_free(self, host: str, transport: Transport) -> int:
        for _ in range(TRIES):
            port = random.choice(ANY_FREE)
            if port not in self._chosen and refused(host, port, transport) is None:
                self._chosen.add(port)
                return port
        raise SettingError("--host", host, "an address with a free port")


def refused(host: str, port: int, transport: Transport) -> str | None:
    """None when the port can be listened on, else why not."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM) as trial:
        if transport == "tcp":
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"{holder(port, transport)} has it"
            return os.strerror(error.errno or 0)
    return None


def holder(port: int, transport: Transport) -> str:
    """The process that listens on a port, as far as this user may know."""
    try:
        for entry in psutil.net_connections(transport):
            listening = transport == "udp" or entry.status == psutil.CONN_LISTEN
            if entry.pid and listening and entry.laddr and entry.laddr.port == port:
                command = " ".join(psutil.Process(entry.pid).cmdline())[:80]
                return f"process {entry.pid} ({command})"
    except psutil.Error:
        pass
    return "another process"


def listens(pid: int, port: int) -> bool:
    """Whether a process, or one that it started, listens on a TCP port. True where the system does not tell,
    as of a program with privileges of its own."""
    try:
        top = psutil.Process(pid)
        return any(
            entry.status == psutil.CONN_LISTEN and entry.laddr.port == port
            for process in (top, *top.children(recursive=True))
            for entry in process.net_connections("tcp")
        )
    except psutil.AccessDenied:
        return True
    except psutil.NoSuchProcess:
        return False


def address(host: str) -> str:
    """The IP address that `--host` means, one of this machine's."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        ip = str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])
    except (OSError, UnicodeError) as error:
        raise SettingError("--host", host, "an address of this machine, such as 0.0.0.0") from error
    if (trouble := refused(ip, 0, "tcp")) is not None:
        raise SettingError("--host", host, f"an address of this machine, such as 0.0.0.0 ({trouble})")
    return ip


def is_wildcard(ip: str) -> bool:
    return ip in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def outward_address(ip: str) -> str:
    """Where other machines reach this one: `ip` itself; for a wildcard the address of the default route."""
    if not is_wildcard(ip):
        return ip
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(
                ("192.0.2.1", 9)
            )  # a documentation address; connecting a datagram socket sends nothing
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def in_url(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip
