"""The groups of settings: each field with its variable, its default, its check and its prose.

The prose is what docs/configuration.md prints. `callpool.settings` reads their values.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callpool.checks import (
    Check,
    agent_name,
    at_least,
    between,
    host,
    is_port,
    languages,
    memory_limit,
    module,
    one_of,
    silence,
    stage_profiles,
    store_url,
    trace_page,
    url,
)
from callpool.errors import SettingError
from callpool.secrets import Secret


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

    def check_key_pair(self) -> None:
        """Raises SettingError, with the variable's name, for a half that is not set."""
        expected = "the {} of the LiveKit key pair (`callpool up` makes a pair by itself)"
        if not self.api_key:
            raise SettingError("LIVEKIT_API_KEY", "", expected.format("name"))
        if not self.api_secret:
            raise SettingError("LIVEKIT_API_SECRET", "", expected.format("secret"))


@dataclass(frozen=True)
class ProfileChoice:
    """Which models a call uses; `callpool profiles` lists them."""

    name: str = setting("CALLPOOL_PROFILE", "The profile of calls that ask for none.", "balanced")
    stages: tuple[str, ...] = setting(
        "CALLPOOL_STAGE_PROFILES",
        "Profiles whose language models single stages use, such as problem_solving=quality.",
        (),
        stage_profiles,
    )
    file: str = setting(
        "CALLPOOL_PROFILES_FILE", "A YAML file whose profiles are added, and replace those of their name.", ""
    )
    prices_file: str = setting(
        "CALLPOOL_PRICES_FILE", "A YAML file whose prices are added, and replace those of their model.", ""
    )


@dataclass(frozen=True)
class Worker:
    """The process that registers with LiveKit and runs jobs."""

    agent_name: str = setting(
        "CALLPOOL_AGENT_NAME", "The dispatch name that it answers to.", "callpool", agent_name
    )
    roster: str = setting(
        "CALLPOOL_ROSTER", "The module whose `ROSTER` names the agents.", "callpool_agents.roster", module
    )
    languages: tuple[str, ...] = setting(
        "CALLPOOL_LANGUAGES",
        "The languages that callers are followed in, the first one at the beginning of a call.",
        ("en", "de", "es"),
        languages,
    )
    host: str = setting("CALLPOOL_WORKER_HOST", "The address its health page listens on.", "127.0.0.1", host)
    port: int = setting("CALLPOOL_WORKER_PORT", "The port of its health page.", 8081, is_port)
    name: str = setting(
        "CALLPOOL_WORKER_NAME",
        "What it is called in records and logs, before a few digits of its own; empty: the name of the host.",
        "",
    )
    capacity: int = setting(
        "CALLPOOL_CAPACITY",
        "Calls that it serves at the same time; 0: as many as cores and memory bear.",
        0,
        at_least(0),
    )
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
        "CALLPOOL_JOB_MEMORY_LIMIT_MB",
        "A job whose memory (PSS, about 120 in a call) is above it is killed and its call taken up by "
        "another, megabytes; 0: no limit.",
        1024,
        memory_limit,
    )
    job_nice: int = setting(
        "CALLPOOL_JOB_NICE",
        "How far jobs stand back from other processes where CPU is short, as in nice(1).",
        0,
        between(0, 19),
    )
    job_cpu_limit: float = setting(
        "CALLPOOL_JOB_CPU_LIMIT",
        "Cores that a job may use, on average over `job_cpu_limit_s`; 0: no limit. A job above it stands "
        "back (nice 19) after half of that time, and is killed and replaced at its end.",
        0.8,
        at_least(0),
    )
    job_cpu_limit_s: float = setting(
        "CALLPOOL_JOB_CPU_LIMIT_S", "Over how long a job's CPU is averaged, seconds.", 10.0, between(2, 3600)
    )
    job_heartbeat_s: float = setting(
        "CALLPOOL_JOB_HEARTBEAT_S",
        "A job that gives no sign of life for this long is killed and replaced, seconds; 0: none is.",
        5.0,
        silence,
    )
    job_answer_s: float = setting(
        "CALLPOOL_JOB_ANSWER_S",
        "A job gives no more signs of life when its caller has waited for an answer for this long, seconds: "
        "longer than any tool may take that says nothing meanwhile.",
        30.0,
        between(5, 3600),
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
        0.6,
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
class Manners:
    """What the service does when a caller says nothing, or too much."""

    silence_s: float = setting(
        "CALLPOOL_SILENCE_S",
        "Silence after which the caller is asked whether they are there, twice, before goodbye, seconds.",
        10.0,
        between(1, 600),
    )
    monologue_s: float = setting(
        "CALLPOOL_MONOLOGUE_S",
        "How long a caller may speak before the agent politely cuts in, seconds.",
        45.0,
        between(2, 600),
    )
    max_call_s: int = setting(
        "CALLPOOL_MAX_CALL_S",
        "How long a call may last: the caller is told shortly before, seconds.",
        1800,
        between(10, 86_400),
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
class Business:
    """What the tools act on."""

    url: str = setting(
        "CALLPOOL_BUSINESS_URL",
        "Its database, `sqlite:///PATH` or `postgresql://…`; empty: the store's.",
        "",
        lambda value: store_url(value) if value else None,
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
class Dispatcher:
    """The process that sees to it that every caller has an agent."""

    host: str = setting(
        "CALLPOOL_DISPATCHER_HOST", "The address on which it takes webhooks.", "127.0.0.1", host
    )
    port: int = setting("CALLPOOL_DISPATCHER_PORT", "Its port.", 8082, is_port)


@dataclass(frozen=True)
class Inspector:
    """Where staff look at calls. It listens on 127.0.0.1 alone: nobody logs in yet."""

    port: int = setting("CALLPOOL_INSPECTOR_PORT", "Its port.", 8083, is_port)


@dataclass(frozen=True)
class Telemetry:
    """Traces, metrics and logs. They are exported by OTLP once an endpoint is named, under the variables that
    OpenTelemetry defines. What these settings do not name (`OTEL_EXPORTER_OTLP_TIMEOUT`, `_COMPRESSION`,
    `_CERTIFICATE`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_BSP_…`) is read from the environment by its library."""

    endpoint: str = setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "The collector for all three, such as http://127.0.0.1:4318; empty: nothing is exported.",
        "",
        lambda value: url("http", "https")(value) if value else None,
    )
    traces_endpoint: str = setting(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "Where traces go instead, with its whole path for HTTP.",
        "",
        lambda value: url("http", "https")(value) if value else None,
    )
    metrics_endpoint: str = setting(
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "Where metrics go instead.",
        "",
        lambda value: url("http", "https")(value) if value else None,
    )
    logs_endpoint: str = setting(
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        "Where logs go instead.",
        "",
        lambda value: url("http", "https")(value) if value else None,
    )
    protocol: str = setting(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "`http/protobuf` or `grpc`.",
        "http/protobuf",
        one_of("http/protobuf", "grpc"),
    )
    headers: Secret = setting(
        "OTEL_EXPORTER_OTLP_HEADERS", "What is sent along: `name=value,name=value`.", Secret("")
    )
    service_name: str = setting("OTEL_SERVICE_NAME", "The name of the service in all three.", "callpool")
    pii: bool = setting(
        "CALLPOOL_TELEMETRY_PII",
        "Export what callers say and are, under keys with a `pii` segment.",
        False,
    )
    sample_ratio: float = setting(
        "CALLPOOL_TELEMETRY_SAMPLE_RATIO",
        "The share of calls that are traced, 0 to 1. Below 1 calls with errors are left out as well: rather "
        "have the collector choose, which keeps those (docs/telemetry.md).",
        1.0,
        between(0, 1),
    )
    trace_url: str = setting(
        "CALLPOOL_TRACE_URL",
        "The page of a trace, such as http://127.0.0.1:16686/trace/{trace_id}; empty: no links.",
        "",
        lambda value: trace_page(value) if value else None,
    )
    log_format: str = setting(
        "CALLPOOL_LOG_FORMAT",
        "`json`, `text`, or `auto`: text on a terminal, JSON elsewhere.",
        "auto",
        one_of("auto", "json", "text"),
    )
    log_level: str = setting(
        "CALLPOOL_LOG_LEVEL",
        "`debug`, `info`, `warning` or `error`.",
        "info",
        one_of("debug", "info", "warning", "error"),
    )


@dataclass(frozen=True)
class Costs:
    """What calls may cost, USD, beside what their models do (see `profiles.prices_file`)."""

    infrastructure_usd_per_minute: float = setting(
        "CALLPOOL_INFRASTRUCTURE_USD_PER_MINUTE",
        "The share of machines and network: USD for each minute of a job.",
        0.0,
        at_least(0),
    )
    soft_limit_usd: float = setting(
        "CALLPOOL_BUDGET_SOFT_USD",
        "What a call may cost before it is made cheaper, USD; 0: as much as it takes.",
        0.0,
        at_least(0),
    )
    soft_action: str = setting(
        "CALLPOOL_BUDGET_SOFT_ACTION",
        "How: `wrap_up` (the agent comes to an end) or `economy` (the language models of that profile).",
        "wrap_up",
        one_of("wrap_up", "economy"),
    )
    hard_limit_usd: float = setting(
        "CALLPOOL_BUDGET_HARD_USD",
        "What a call may cost before it is ended, USD; 0: as much as it takes.",
        0.0,
        at_least(0),
    )
    hard_action: str = setting(
        "CALLPOOL_BUDGET_HARD_ACTION",
        "How: `goodbye`, or `transfer` (a person takes over, where the roster has a stage for that).",
        "goodbye",
        one_of("goodbye", "transfer"),
    )

    def __post_init__(self) -> None:
        if 0 < self.hard_limit_usd < self.soft_limit_usd:
            raise SettingError(
                "CALLPOOL_BUDGET_SOFT_USD",
                f"{self.soft_limit_usd:g}",
                f"at most CALLPOOL_BUDGET_HARD_USD, which is {self.hard_limit_usd:g}",
            )


@dataclass(frozen=True)
class Local:
    """What one machine needs."""

    data_dir: Path = setting("CALLPOOL_DATA_DIR", "Where `callpool up` keeps its files.", Path(".callpool"))
    providers_port: int = setting(
        "CALLPOOL_PROVIDERS_PORT", "The port of the local providers.", 8090, is_port
    )
