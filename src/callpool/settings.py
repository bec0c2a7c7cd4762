"""The only reader of the environment and of callpool.toml.

`load()` gives one frozen `Settings`, made of the groups in `callpool.setting_groups` and
`callpool.provider_settings`. A value comes from callpool.toml (`[group] field = …`), then from the
environment, then from a flag; the last one wins.
"""

from __future__ import annotations

import dataclasses
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callpool.checks import Check, hide_passwords, with_whole_path
from callpool.errors import SettingError
from callpool.mcp_settings import McpServer, mcp_servers
from callpool.provider_settings import Cartesia, Deepgram, ElevenLabs, Groq, OpenAI, Provider
from callpool.secrets import Secret, resolve_secret
from callpool.setting_groups import (
    Business,
    Costs,
    Dispatcher,
    Inspector,
    LiveKit,
    Local,
    Manners,
    ProfileChoice,
    Store,
    Telemetry,
    Turns,
    Web,
    Worker,
)

DEFAULT_FILE = "callpool.toml"


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. Frozen, so that it can be handed to job processes as it is."""

    livekit: LiveKit = field(default_factory=LiveKit)
    deepgram: Deepgram = field(default_factory=Deepgram)
    openai: OpenAI = field(default_factory=OpenAI)
    cartesia: Cartesia = field(default_factory=Cartesia)
    groq: Groq = field(default_factory=Groq)
    elevenlabs: ElevenLabs = field(default_factory=ElevenLabs)
    profiles: ProfileChoice = field(default_factory=ProfileChoice)
    worker: Worker = field(default_factory=Worker)
    turns: Turns = field(default_factory=Turns)
    manners: Manners = field(default_factory=Manners)
    store: Store = field(default_factory=Store)
    business: Business = field(default_factory=Business)
    web: Web = field(default_factory=Web)
    dispatcher: Dispatcher = field(default_factory=Dispatcher)
    inspector: Inspector = field(default_factory=Inspector)
    telemetry: Telemetry = field(default_factory=Telemetry)
    costs: Costs = field(default_factory=Costs)
    local: Local = field(default_factory=Local)
    mcp: tuple[McpServer, ...] = ()
    """Servers whose tools some stages are offered: tables `[mcp.NAME]` in callpool.toml."""
    given: frozenset[str] = frozenset()
    """Names (`group.field`) that were set by file, environment or flag rather than left at their default."""
    unknown: tuple[str, ...] = ()
    """CALLPOOL_ variables that no setting has: worth a warning, since one may be a typing error."""

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the store, with the asynchronous driver and an absolute path."""
        if not self.store.url:
            return f"sqlite+aiosqlite:///{self.local.data_dir.resolve() / 'callpool.db'}"
        return _database_url(self.store.url)

    @property
    def business_url(self) -> str:
        """The SQLAlchemy URL of the business's database, in the same form as `store_url`."""
        return _database_url(self.business.url) if self.business.url else self.store_url

    @property
    def caller_livekit_url(self) -> str:
        """The address that a caller is sent to."""
        return self.livekit.public_url or self.livekit.url

    def is_local(self, provider: Provider) -> bool:
        """Whether a provider has neither a key nor a base URL, so that `callpool up` stands in for it."""
        return not {f"{provider}.api_key", f"{provider}.base_url"} & self.given


def _database_url(url: str) -> str:
    return with_whole_path(re.sub(r"^(sqlite|postgresql)://", _async_driver, url))


def _async_driver(match: re.Match[str]) -> str:
    return {"sqlite": "sqlite+aiosqlite://", "postgresql": "postgresql+asyncpg://"}[match[1]]


def fields() -> Iterator[tuple[str, str, dataclasses.Field[Any]]]:
    """Every setting as (group, name, field), in the order of the documentation."""
    for group in dataclasses.fields(Settings):
        factory = group.default_factory
        if isinstance(factory, type) and dataclasses.is_dataclass(factory):
            for entry in dataclasses.fields(factory):
                yield group.name, entry.name, entry


def load(
    env: Mapping[str, str] | None = None,
    *,
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
) -> Settings:
    """Read callpool.toml (or `file`), then the environment, then `flags` (`{"web.port": 0}`; None: unset).

    Raises SettingError for a value that cannot be used and for a name in the file that no setting has.
    """
    env = os.environ if env is None else env
    raw = _from_file(file)
    for group, name, entry in fields():
        value = env.get(entry.metadata["env"], "")
        if value.strip():
            raw[f"{group}.{name}"] = (entry.metadata["env"], value)
    for key, flag in (flags or {}).items():
        if flag is not None:
            raw[key] = (f"--{re.split('[._]', key)[-1]}", flag)

    known = {entry.metadata["env"] for _, _, entry in fields()}
    groups: dict[str, dict[str, Any]] = {}
    for group, name, entry in fields():
        if given := raw.get(f"{group}.{name}"):
            groups.setdefault(group, {})[name] = _parse(given[0], given[1], _types(group)[name], entry, env)
    made: dict[str, Any] = {
        name: typing.get_type_hints(Settings)[name](**values) for name, values in groups.items()
    }
    unknown = tuple(sorted(name for name in env if name.startswith("CALLPOOL_") and name not in known))
    servers = mcp_servers(*raw["mcp"], env) if "mcp" in raw else ()
    return Settings(**made, mcp=servers, given=frozenset(raw), unknown=unknown)


def _from_file(file: Path | None) -> dict[str, tuple[str, object]]:
    path = file or Path(DEFAULT_FILE)
    if not path.exists():
        if file is not None:
            raise SettingError("--config", str(file), "a file that exists")
        return {}
    try:
        document = tomllib.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise SettingError(str(path), "unreadable", f"a TOML file ({error})") from error
    valid: dict[str, list[str]] = {}
    for group, name, _ in fields():
        valid.setdefault(group, []).append(name)
    raw: dict[str, tuple[str, object]] = {}
    for group, table in document.items():
        if group == "mcp":
            raw[group] = (path.name, table)
            continue
        if group not in valid or not isinstance(table, dict):
            raise SettingError(f"{path.name}: [{group}]", group, f"one of {', '.join([*valid, 'mcp'])}")
        for name, value in table.items():
            if name not in valid[group]:
                raise SettingError(f"{path.name}: {group}.{name}", name, f"one of {', '.join(valid[group])}")
            if not _is_left_empty(group, name, value):
                raw[f"{group}.{name}"] = (f"{path.name}: {group}.{name}", value)
    return raw


def _is_left_empty(group: str, name: str, value: object) -> bool:
    """Whether a text in the file is empty, as one in the environment may be, and no check refuses that."""
    if not isinstance(value, str) or value.strip() or _types(group)[name] not in (str, Secret, Path):
        return False
    check: Check | None = next(
        entry.metadata["check"] for of, field, entry in fields() if (of, field) == (group, name)
    )
    return check is None or check("") is None


_EXPECTED = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    str: "text in quotes",
}


def _types(group: str) -> dict[str, Any]:
    return typing.get_type_hints(typing.get_type_hints(Settings)[group])


def _parse(name: str, value: object, kind: Any, entry: dataclasses.Field[Any], env: Mapping[str, str]) -> Any:
    parsed: Any
    if kind is Secret:
        if not isinstance(value, str):
            raise SettingError(name, "***", "text in quotes")
        return resolve_secret(name, value.strip(), env)
    try:
        if kind is bool:
            parsed = value if isinstance(value, bool) else _boolean(str(value))
        elif kind in (int, float):
            if isinstance(value, bool) or (kind is int and isinstance(value, float)):
                raise ValueError
            parsed = kind(value)
        elif kind is Path:
            parsed = Path(_text(value)).expanduser()
        elif isinstance(kind, types.GenericAlias):
            parts = value if isinstance(value, list) else _text(value).split(",")
            parsed = tuple(part.strip() for part in map(_text, parts) if part.strip())
        else:
            parsed = _text(value).strip()
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last: a home that nobody has
        raise SettingError(name, value, _EXPECTED.get(kind, "a list of texts in quotes")) from None
    check: Check | None = entry.metadata["check"]
    if check is not None and (wrong := check(parsed)) is not None:
        raise SettingError(name, hide_passwords(value) if isinstance(value, str) else value, wrong)
    return parsed


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(text: str) -> bool:
    match text.strip().lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise ValueError(text)
