"""The MCP servers that callpool.toml describes: a table `[mcp.NAME]` for each."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from callpool.checks import hide_passwords, url
from callpool.errors import SettingError
from callpool.secrets import Secret, resolve_secret

Transport = Literal["streamable_http", "sse", "stdio"]
Secrets = tuple[tuple[str, Secret], ...]
"""Names and their values. Pairs, so that they stay frozen."""

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class McpServer:
    """A server whose tools some stages are offered: at an address, or a program started for each call."""

    name: str
    stages: tuple[str, ...]
    """The stages that are offered its tools."""
    url: str = ""
    command: tuple[str, ...] = ()
    """The program and its arguments, in the place of an address."""
    transport: Transport = "streamable_http"
    tools: tuple[str, ...] = ()
    """The tools that are offered; empty: all that it has."""
    headers: Secrets = ()
    """Sent to the address with every request."""
    env: Secrets = ()
    """The program's variables, besides PATH and its like."""


def mcp_servers(file: str, tables: object, env: Mapping[str, str]) -> tuple[McpServer, ...]:
    """The servers in the `mcp` tables of a settings file. `env` is where `env://` secrets are found.

    Raises SettingError.
    """
    if not isinstance(tables, dict):
        raise SettingError(f"{file}: mcp", tables, "tables such as [mcp.inventory]")
    return tuple(_server(_Table(f"{file}: mcp.{name}", name, table, env)) for name, table in tables.items())


def _server(table: _Table) -> McpServer:
    if not NAME.fullmatch(table.name):
        raise SettingError(table.place, table.name, "a name of letters, digits, - and _, 32 at most")
    stages = table.texts("stages")
    if not stages:
        raise SettingError(f"{table.place}.stages", "", "the stages that are offered its tools")
    address, command = table.text("url"), table.words("command")
    if bool(address) == bool(command):
        raise SettingError(f"{table.place}.url", address, "an address, or else a command, and not both")
    if address and (wrong := url("http", "https")(address)):
        raise SettingError(f"{table.place}.url", hide_passwords(address), wrong)
    unused = ("transport", "headers", "token") if command else ("env",)
    for key in unused:
        if key in table.given:
            raise SettingError(f"{table.place}.{key}", key, f"none for a server with a {_kind(command)}")
    headers = table.secrets("headers", _HEADER, "the name of a header")
    if token := table.secret("token"):
        headers = (*headers, ("Authorization", Secret(f"Bearer {token.reveal()}")))
    table.refuse_unknown()
    return McpServer(
        name=table.name,
        stages=stages,
        url=address,
        command=command,
        transport=_transport(table, address),
        tools=table.texts("tools"),
        headers=headers,
        env=table.secrets("env", _VARIABLE, "the name of a variable"),
    )


def _kind(command: tuple[str, ...]) -> str:
    return "command" if command else "url"


def _transport(table: _Table, address: str) -> Transport:
    if not address:
        return "stdio"
    match table.text("transport"):
        case "":
            return "sse" if address.rstrip("/").endswith("/sse") else "streamable_http"
        case "sse":
            return "sse"
        case "streamable_http":
            return "streamable_http"
        case other:
            raise SettingError(f"{table.place}.transport", other, "streamable_http or sse")


@dataclass(frozen=True)
class _Table:
    """One server's table, read key by key."""

    place: str
    name: str
    table: object
    env: Mapping[str, str]

    @property
    def given(self) -> dict[str, Any]:
        if not isinstance(self.table, dict):
            raise SettingError(self.place, self.table, f"a table such as [mcp.{self.name}]")
        return self.table

    def text(self, key: str) -> str:
        value = self.given.get(key, "")
        if not isinstance(value, str):
            raise SettingError(f"{self.place}.{key}", value, "text in quotes")
        return value.strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; one text stands for a list of one."""
        value = self.given.get(key, [])
        parts = [value] if isinstance(value, str) else value
        if not isinstance(parts, list) or not all(isinstance(part, str) and part.strip() for part in parts):
            raise SettingError(f"{self.place}.{key}", value, "a list of texts in quotes")
        return tuple(part.strip() for part in parts)

    def words(self, key: str) -> tuple[str, ...]:
        """A command: a list, or one text that is split as a shell does."""
        value = self.given.get(key, [])
        if not isinstance(value, str):
            return self.texts(key)
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise SettingError(f"{self.place}.{key}", value, f"a command line ({error})") from error

    def secret(self, key: str) -> Secret | None:
        return self._secret(f"{self.place}.{key}", self.given[key]) if key in self.given else None

    def secrets(self, key: str, name: re.Pattern[str], expected: str) -> Secrets:
        table = self.given.get(key, {})
        if not isinstance(table, dict):
            raise SettingError(f"{self.place}.{key}", "***", "a table of names and values")
        for each in table:
            if not name.fullmatch(each):
                raise SettingError(f"{self.place}.{key}", each, expected)
        return tuple(
            (each, self._secret(f"{self.place}.{key}.{each}", value)) for each, value in table.items()
        )

    def _secret(self, place: str, value: object) -> Secret:
        if not isinstance(value, str):
            raise SettingError(place, "***", "text in quotes")
        secret = resolve_secret(place, value.strip(), self.env)
        if any(letter in secret.reveal() for letter in "\r\n\0"):
            raise SettingError(place, "***", "a value of one line")
        return secret

    def refuse_unknown(self) -> None:
        known = ("stages", "url", "command", "transport", "tools", "headers", "token", "env")
        for key in self.given:
            if key not in known:
                raise SettingError(f"{self.place}.{key}", key, f"one of {', '.join(known)}")
