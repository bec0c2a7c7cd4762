"""The only reader of the environment and of callpool.toml.

`load()` gives one frozen `Settings`, made of a group per subject. A value comes from callpool.toml
(`[group] field = …`), then from the environment, then from a flag; the last one wins. The prose of each field
is what docs/configuration.md prints.
"""

from __future__ import annotations

import dataclasses
import math
import os
import re
import sys
import tomllib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

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

Check = Callable[[Any], str | None]
"""Gives None for a value that can be used, else what would be valid."""


def is_port(value: int) -> str | None:
    return None if 0 <= value <= 65535 else "a port from 0 to 65535 (0 means any free one)"


def at_least(least: float) -> Check:
    return lambda value: None if least <= value < math.inf else f"a number of at least {least:g}"


def between(least: int, most: int) -> Check:
    return lambda value: None if least <= value <= most else f"a number from {least} to {most}"


def host(value: str) -> str | None:
    # Sockets take an empty one for every address of the machine.
    return None if value else "a host name or an address of this machine"


def url(*schemes: str) -> Check:
    def check(value: str) -> str | None:
        try:
            parts = urlsplit(value)
            good = parts.scheme in schemes and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        return None if good else f"an address that starts with {' or '.join(s + '://' for s in schemes)}"

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
    except ValueError:
        good = False
    return None if good else "sqlite:///PATH or postgresql://USER@HOST/DATABASE"


def hide_passwords(text: str) -> str:
    """Give `text` with the passwords in its URLs replaced by `***`."""
    text = re.sub(r"(?<=://)([^/@:\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"(?i)([?&]password=)[^&\s]*", r"\1***", text)


def setting(env: str, doc: str, default: Any = dataclasses.MISSING, check: Check | None = None) -> Any:
    """A dataclass field that carries its variable's name, its prose and its check."""
    return field(default=default, metadata={"env": env, "doc": doc, "check": check})


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


@dataclass(frozen=True)
class Deepgram:
    """Speech to text."""

    api_key: Secret = setting("DEEPGRAM_API_KEY", "Its key.", Secret(""))
    base_url: str = setting("DEEPGRAM_BASE_URL", "Its origin, without a path.", DEEPGRAM_URL, origin)
    model: str = setting("CALLPOOL_DEEPGRAM_MODEL", "The model.", "nova-3")


@dataclass(frozen=True)
class OpenAI:
    """The language model, and every service that speaks OpenAI's protocol."""

    api_key: Secret = setting("OPENAI_API_KEY", "Its key.", Secret(""))
    base_url: str = setting("OPENAI_BASE_URL", "Its base URL, which ends in /v1.", OPENAI_URL, openai_base)
    model: str = setting("CALLPOOL_OPENAI_MODEL", "The model.", "gpt-4.1-mini")


@dataclass(frozen=True)
class Cartesia:
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
        "CALLPOOL_ROSTER", "The module whose `ROSTER` names the agents.", "callpool_agents.roster"
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
        "CALLPOOL_JOB_MEMORY_LIMIT_MB", "A job above it is ended, megabytes; 0: no limit.", 0, at_least(0)
    )


@dataclass(frozen=True)
class Turns:
    """When the agent speaks and when it stops."""

    endpointing_min_s: float = setting(
        "CALLPOOL_ENDPOINTING_MIN_S",
        "Shortest silence after which a turn may end, seconds.",
        0.3,
        at_least(0),
    )
    endpointing_max_s: float = setting(
        "CALLPOOL_ENDPOINTING_MAX_S",
        "Silence after which a turn ends in any case, seconds.",
        1.5,
        at_least(0),
    )
    interruption_s: float = setting(
        "CALLPOOL_INTERRUPTION_S",
        "Speech of the caller that silences the agent, seconds.",
        0.18,
        at_least(0.05),
    )
    false_interruption_s: float = setting(
        "CALLPOOL_FALSE_INTERRUPTION_S",
        "The agent resumes when no words came within this time of an interruption, seconds.",
        1.5,
        at_least(0),
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
        "CALLPOOL_WEB_CALLS_PER_MINUTE", "Calls that one address may start in a minute.", 30, at_least(1)
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
        url = re.sub(r"^(sqlite|postgresql)://", _async_driver, self.store.url)
        return re.sub(
            r"(?<=^sqlite\+aiosqlite:///)[^/?][^?]*", lambda path: str(Path(path[0]).resolve()), url
        )

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
            raw[f"{group}.{name}"] = (f"{path.name}: {group}.{name}", value)
    return raw


def _types(group: str) -> dict[str, Any]:
    hints = typing.get_type_hints(Settings)[group]
    return typing.get_type_hints(hints, vars(sys.modules[__name__]))


def _parse(name: str, value: object, kind: Any, entry: dataclasses.Field[Any], env: Mapping[str, str]) -> Any:
    parsed: Any
    if kind is Secret:
        return resolve_secret(name, str(value).strip(), env)
    try:
        if kind is bool:
            parsed = value if isinstance(value, bool) else _boolean(str(value))
        elif kind in (int, float):
            if isinstance(value, bool) or (kind is int and isinstance(value, float)):
                raise ValueError
            parsed = kind(value)
        elif kind is Path:
            parsed = Path(str(value)).expanduser()
        elif isinstance(kind, types.GenericAlias):
            parts = value if isinstance(value, list) else str(value).split(",")
            parsed = tuple(str(part).strip() for part in parts if str(part).strip())
        else:
            parsed = str(value).strip()
    except (TypeError, ValueError, OverflowError, RuntimeError):  # the last: a home that nobody has
        expected = {bool: "true or false", int: "a whole number", float: "a number"}.get(kind, "a path")
        raise SettingError(name, value, expected) from None
    check: Check | None = entry.metadata["check"]
    if check is not None and (wrong := check(parsed)) is not None:
        raise SettingError(name, hide_passwords(value) if isinstance(value, str) else value, wrong)
    return parsed


def _boolean(text: str) -> bool:
    match text.strip().lower():
        case "1" | "true" | "yes" | "on":
            return True
        case "0" | "false" | "no" | "off":
            return False
    raise ValueError(text)
