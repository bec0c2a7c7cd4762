"""The only reader of the environment and of callpool.toml.

`load()` gives one frozen `Settings`, made of a group per subject. A value comes from callpool.toml
(`[group] field = …`), then from the environment, then from a flag; the last one wins. The prose of each field
is what docs/configuration.md prints.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from callpool.checks import (
    Check,
    agent_name,
    at_least,
    between,
    hide_passwords,
    host,
    is_port,
    memory_limit,
    module,
    openai_base,
    origin,
    store_url,
    url,
    with_whole_path,
)
from callpool.errors import SettingError
from callpool.secrets import Secret, resolve_secret

DEFAULT_FILE = "callpool.toml"
LOCAL_KEY = "local"
"""Sent to a provider that has a base URL and no key: self-hosted ones want a header, not a secret."""

DEEPGRAM_URL = "https://api.deepgram.com"
OPENAI_URL = "https://api.openai.com/v1"
CARTESIA_URL = "https://api.cartesia.ai"

Provider = Literal["deepgram", "openai", "cartesia"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)


def setting(env: str, doc: str, default: Any = dataclasses.MISSING, check: Check | None = None) -> Any:
    """A dataclass field that carries its variable's name, its prose and its check."""
    return field(default=default, metadata={"env": env, "doc": doc, "check": check})


class Keyed:
    """A provider that is called with a key."""

    api_key: Secret

    @property
    def key(self) -> str:
        """What it is sent as its key."""
        return self.api_key.reveal() or LOCAL_KEY


@dataclass(frozen=True)
class LiveKit:
    """The LiveKit server: media and dispatch."""

    url: str = setting(
        "LIVEKIT_URL", "Where workers reach it.", "ws://127.0.0.1:7880", url("ws", "wss", "http", "https")
    )
    api_key: str = setting("LIVEKIT_API_KEY", "The name of the key pair.", "")
    api_secret: Secret = setting("LIVEKIT_API_SECRET", "The secret of the key pair.", Secret(""))
    public_url: str = setting(
        "CALLPOOL_PUBLIC_LIVEKIT_URL",
        "Where callers reach it, when that differs from `url`.",
        "",
        lambda value: url("ws", "wss", "http", "https")(value) if value else None,
    )
    port: int = setting("CALLPOOL_LIVEKIT_PORT", "The port on which `callpool up` starts it.", 7880, is_port)
    udp_port: int = setting(
        "CALLPOOL_LIVEKIT_UDP_PORT", "The UDP port for its media under `callpool up`.", 7882, is_port
    )
    server: str = setting(
        "CALLPOOL_LIVEKIT_SERVER",
        "The livekit-server program that `callpool up` starts; empty: found or built.",
        "",
    )

    def check_key_pair(self) -> None:
        """Raises SettingError, with the variable's name, for a half that is not set."""
        expected = "the {} of the LiveKit key pair (`callpool up` makes a pair by itself)"
        if not self.api_key:
            raise SettingError("LIVEKIT_API_KEY", "", expected.format("name"))
        if not self.api_secret:
            raise SettingError("LIVEKIT_API_SECRET", "", expected.format("secret"))


@dataclass(frozen=True)
class Deepgram(Keyed):
    """Speech to text."""

    api_key: Secret = setting("DEEPGRAM_API_KEY", "Its key.", Secret(""))
    base_url: str = setting("DEEPGRAM_BASE_URL", "Its origin, without a path.", DEEPGRAM_URL, origin)
    model: str = setting("CALLPOOL_DEEPGRAM_MODEL", "The model.", "nova-3")


@dataclass(frozen=True)
class OpenAI(Keyed):
    """The language model, and every service that speaks OpenAI's protocol."""

    api_key: Secret = setting("OPENAI_API_KEY", "Its key.", Secret(""))
    base_url: str = setting("OPENAI_BASE_URL", "Its base URL, which ends in /v1.", OPENAI_URL, openai_base)
    model: str = setting("CALLPOOL_OPENAI_MODEL", "The model.", "gpt-4.1-mini")


@dataclass(frozen=True)
class Cartesia(Keyed):
    """Text to speech."""

    api_key: Secret = setting("CARTESIA_API_KEY", "Its key.", Secret(""))
    base_url: str = setting("CARTESIA_BASE_URL", "Its origin, without a path.", CARTESIA_URL, origin)
    model: str = setting("CALLPOOL_CARTESIA_MODEL", "The model.", "sonic-3")
    voice: str = setting("CALLPOOL_CARTESIA_VOICE", "The voice's id.", "f786b574-daa5-4673-aa0c-cbe3e8534c02")


@dataclass(frozen=True)
class Worker:
    """The process that registers with LiveKit and runs jobs."""

    agent_name: str = setting(
        "CALLPOOL_AGENT_NAME", "The dispatch name that it answers to.", "callpool", agent_name
    )
    roster: str = setting(
        "CALLPOOL_ROSTER", "The module whose `ROSTER` names the agents.", "callpool_agents.roster", module
    )
    host: str = setting("CALLPOOL_WORKER_HOST", "The address its health page listens on.", "127.0.0.1", host)
    port: int = setting("CALLPOOL_WORKER_PORT", "The port of its health page.", 8081, is_port)
    capacity: int = setting("CALLPOOL_CAPACITY", "Calls that it serves at the same time.", 8, at_least(1))
    warm_processes: int = setting(
        "CALLPOOL_WARM_PROCESSES", "Job processes kept ready, each about 120 MB (PSS).", 2, at_least(0)
    )
    drain_timeout_s: int = setting(
        "CALLPOOL_DRAIN_TIMEOUT_S",
        "How long running calls may go on after SIGTERM, seconds.",
        3600,
        at_least(0),
    )
    memory_limit_mb: int = setting(
        "CALLPOOL_JOB_MEMORY_LIMIT_MB", "A job above it is ended, megabytes; 0: no limit.", 0, memory_limit
    )


@dataclass(frozen=True)
class Turns:
    """When the agent speaks and when it stops."""

    endpointing_min_s: float = setting(
        "CALLPOOL_ENDPOINTING_MIN_S",
        "Shortest silence after which a turn may end, seconds.",
        0.3,
        between(0, 10),
    )
    endpointing_max_s: float = setting(
        "CALLPOOL_ENDPOINTING_MAX_S",
        "Silence after which a turn ends in any case, seconds.",
        1.5,
        between(0, 10),
    )
    interruption_s: float = setting(
        "CALLPOOL_INTERRUPTION_S",
        "Speech of the caller that silences the agent, seconds.",
        0.18,
        between(0.05, 5),
    )
    false_interruption_s: float = setting(
        "CALLPOOL_FALSE_INTERRUPTION_S",
        "The agent resumes when no words came within this time of an interruption, seconds.",
        1.5,
        between(0, 10),
    )
    return_s: float = setting(
        "CALLPOOL_RETURN_S",
        "How long a call waits for a caller whose connection dropped, seconds.",
        20.0,
        between(0, 3600),
    )

    def __post_init__(self) -> None:
        if self.endpointing_min_s > self.endpointing_max_s:
            raise SettingError(
                "CALLPOOL_ENDPOINTING_MIN_S",
                f"{self.endpointing_min_s:g}",
                f"at most CALLPOOL_ENDPOINTING_MAX_S, which is {self.endpointing_max_s:g}",
            )


@dataclass(frozen=True)
class Store:
    """Call records."""

    url: str = setting(
        "CALLPOOL_STORE_URL",
        "`sqlite:///PATH` or `postgresql://…`; empty: `callpool.db` in the data directory.",
        "",
        lambda value: store_url(value) if value else None,
    )
    plain_texts: bool = setting(
        "CALLPOOL_STORE_PLAIN_TEXTS",
        "Keep what was said as it was said, without masking digits and addresses.",
        False,
    )


@dataclass(frozen=True)
class Web:
    """The caller page and the API for call tokens."""

    host: str = setting("CALLPOOL_WEB_HOST", "The address it listens on.", "127.0.0.1", host)
    port: int = setting("CALLPOOL_WEB_PORT", "Its port.", 8080, is_port)
    allowed_origins: tuple[str, ...] = setting(
        "CALLPOOL_WEB_ALLOWED_ORIGINS", "Other origins that may start calls, separated by commas.", ()
    )
    token_ttl_s: int = setting(
        "CALLPOOL_WEB_TOKEN_TTL_S", "How long a call token can be used, seconds.", 120, between(10, 86_400)
    )
    calls_per_minute: int = setting(
        "CALLPOOL_WEB_CALLS_PER_MINUTE",
        "Calls that one address may start in a minute. Behind a reverse proxy all callers come from its "
        "address and share them.",
        30,
        at_least(1),
    )


@dataclass(frozen=True)
class Local:
    """What one machine needs."""

    data_dir: Path = setting("CALLPOOL_DATA_DIR", "Where `callpool up` keeps its files.", Path(".callpool"))
    providers_port: int = setting(
        "CALLPOOL_PROVIDERS_PORT", "The port of the local providers.", 8090, is_port
    )


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. Frozen, so that it can be handed to job processes as it is."""

    livekit: LiveKit = field(default_factory=LiveKit)
    deepgram: Deepgram = field(default_factory=Deepgram)
    openai: OpenAI = field(default_factory=OpenAI)
    cartesia: Cartesia = field(default_factory=Cartesia)
    worker: Worker = field(default_factory=Worker)
    turns: Turns = field(default_factory=Turns)
    store: Store = field(default_factory=Store)
    web: Web = field(default_factory=Web)
    local: Local = field(default_factory=Local)
    given: frozenset[str] = frozenset()
    """Names (`group.field`) that were set by file, environment or flag rather than left at their default."""
    unknown: tuple[str, ...] = ()
    """CALLPOOL_ variables that no setting has: worth a warning, since one may be a typing error."""

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL of the store, with the asynchronous driver and an absolute path."""
        if not self.store.url:
            return f"sqlite+aiosqlite:///{self.local.data_dir.resolve() / 'callpool.db'}"
        return with_whole_path(re.sub(r"^(sqlite|postgresql)://", _async_driver, self.store.url))

    @property
    def caller_livekit_url(self) -> str:
        """The address that a caller is sent to."""
        return self.livekit.public_url or self.livekit.url

    def is_local(self, provider: Provider) -> bool:
        """Whether a provider has neither a key nor a base URL, so that `callpool up` stands in for it."""
        return not {f"{provider}.api_key", f"{provider}.base_url"} & self.given


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
    return Settings(**made, given=frozenset(raw), unknown=unknown)


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
        if group not in valid or not isinstance(table, dict):
            raise SettingError(f"{path.name}: [{group}]", group, f"one of {', '.join(valid)}")
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
    hints = typing.get_type_hints(Settings)[group]
    return typing.get_type_hints(hints, vars(sys.modules[__name__]))


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
