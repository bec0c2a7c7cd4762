"""What `callpool up` starts: each program with its address, its port and its environment."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from callpool.local.child import Program
from callpool.local.data_directory import Keys
from callpool.local.livekit_server import LOOPBACK, environment
from callpool.local.ports import Ports, address, in_url, is_wildcard, outward_address
from callpool.local.supervisor import Service
from callpool.provider_settings import LOCAL_KEY, PROVIDERS
from callpool.running import local_base_urls
from callpool.settings import Settings

DRAIN_S = 2
"""How long calls may go on once `up` is told to stop, seconds: nobody waits for an hour at a desk."""
JOB_END_S = 8.0
"""What the worker gets on top, for its jobs to write how their calls ended, seconds."""

LOCAL_MODELS = {
    "deepgram": ("CALLPOOL_DEEPGRAM_MODEL", "local-moonshine"),
    "openai": ("CALLPOOL_OPENAI_MODEL", "local-standin"),
    "cartesia": ("CALLPOOL_CARTESIA_MODEL", "local-piper"),
}


@dataclass(frozen=True)
class Addresses:
    """Where everything listens. An empty URL: not started here."""

    ip: str
    livekit_url: str
    livekit_health: str
    livekit_port: int
    livekit_udp_port: int
    public_livekit_url: str
    web_ip: str
    web: str
    web_port: int
    worker_ip: str
    worker: str
    worker_port: int
    dispatcher_ip: str
    dispatcher: str
    dispatcher_port: int
    inspector: str
    inspector_port: int
    providers: str
    providers_port: int

    @classmethod
    def choose(cls, settings: Settings, host: str | None, say: Callable[[str], None]) -> Addresses:
        """Find a port for each listener. Raises SettingError for one that was asked for and is taken."""
        ip = address(host) if host else LOOPBACK
        web_ip = ip if host else address(settings.web.host)
        worker_ip = ip if host else address(settings.worker.host)
        ports = Ports(settings, ip, say)
        own_server = "livekit.url" not in settings.given
        local = any(settings.is_local(provider) for provider in PROVIDERS)
        web_port = ports.choose("web.port", host=web_ip)
        worker_port = ports.choose("worker.port", host=worker_ip)
        # Its only callers are the LiveKit server beside it and whoever watches it.
        dispatcher_ip = address(settings.dispatcher.host)
        dispatcher_port = ports.choose("dispatcher.port", host=dispatcher_ip)
        # Nobody logs in: whatever the host, staff look at calls on this machine.
        inspector_port = ports.choose("inspector.port", host=LOOPBACK)
        # The providers serve the worker beside them and nobody else, whatever the host.
        providers_port = ports.choose("local.providers_port", host=LOOPBACK) if local else 0
        livekit_port = ports.choose("livekit.port") if own_server else 0
        livekit_udp_port = ports.choose("livekit.udp_port", "udp") if own_server else 0
        inner = f"{in_url(_near(ip))}:{livekit_port}"
        outer = f"ws://{in_url(outward_address(ip))}:{livekit_port}"
        return cls(
            ip=ip,
            livekit_url=f"ws://{inner}" if own_server else settings.livekit.url,
            livekit_health=f"http://{inner}/" if own_server else "",
            livekit_port=livekit_port,
            livekit_udp_port=livekit_udp_port,
            public_livekit_url=settings.livekit.public_url
            or (outer if own_server and is_wildcard(ip) else ""),
            web_ip=web_ip,
            web=f"http://{in_url(_near(web_ip))}:{web_port}",
            web_port=web_port,
            worker_ip=worker_ip,
            worker=f"http://{in_url(_near(worker_ip))}:{worker_port}",
            worker_port=worker_port,
            dispatcher_ip=dispatcher_ip,
            dispatcher=f"http://{in_url(_near(dispatcher_ip))}:{dispatcher_port}",
            dispatcher_port=dispatcher_port,
            inspector=f"http://{LOOPBACK}:{inspector_port}",
            inspector_port=inspector_port,
            providers=f"http://{LOOPBACK}:{providers_port}" if local else "",
            providers_port=providers_port,
        )


def child_environment(
    settings: Settings, addresses: Addresses, keys: Keys, data_dir: Path, environ: Mapping[str, str]
) -> dict[str, str]:
    """What the children's settings are made of. The LiveKit secret is in it by the name of its file only."""
    env = dict(environ) | {
        "LIVEKIT_URL": addresses.livekit_url,
        "LIVEKIT_API_KEY": keys.api_key,
        "LIVEKIT_API_SECRET": f"file://{keys.secret_file}",
        "CALLPOOL_DATA_DIR": str(data_dir),
        "CALLPOOL_ROSTER": settings.worker.roster,  # a flag of `up`, which its children know nothing of
        "CALLPOOL_LIVEKIT_PORT": str(addresses.livekit_port),
        "CALLPOOL_LIVEKIT_UDP_PORT": str(addresses.livekit_udp_port),
        "CALLPOOL_WEB_HOST": addresses.web_ip,
        "CALLPOOL_WEB_PORT": str(addresses.web_port),
        "CALLPOOL_WORKER_HOST": addresses.worker_ip,
        "CALLPOOL_WORKER_PORT": str(addresses.worker_port),
        "CALLPOOL_DISPATCHER_HOST": addresses.dispatcher_ip,
        "CALLPOOL_DISPATCHER_PORT": str(addresses.dispatcher_port),
        "CALLPOOL_INSPECTOR_PORT": str(addresses.inspector_port),
        "CALLPOOL_PROVIDERS_PORT": str(addresses.providers_port),
        "CALLPOOL_PUBLIC_LIVEKIT_URL": addresses.public_livekit_url,
        "PYTHONUNBUFFERED": "1",
    }
    if "telemetry.log_format" not in settings.given:
        env["CALLPOOL_LOG_FORMAT"] = "text"  # a person reads the log of `up`
    if "store.url" not in settings.given:
        env["CALLPOOL_STORE_URL"] = settings.store_url
    if "worker.drain_timeout_s" not in settings.given:
        env["CALLPOOL_DRAIN_TIMEOUT_S"] = str(DRAIN_S)
    return env | local_providers(settings, addresses.providers)


def local_providers(settings: Settings, origin: str) -> dict[str, str]:
    """What has a process use the local providers at `origin`, wherever the settings name no other ones."""
    env: dict[str, str] = {}
    for provider, base_url in local_base_urls(settings, origin).items():
        env |= {f"{provider.upper()}_API_KEY": LOCAL_KEY, f"{provider.upper()}_BASE_URL": base_url}
        if f"{provider}.model" not in settings.given:
            name, model = LOCAL_MODELS[provider]
            env[name] = model
    return env


def services(
    settings: Settings,
    addresses: Addresses,
    env: Mapping[str, str],
    config: Path | None,
    server: tuple[Path, Path] | None,
) -> dict[str, Service]:
    """The services by name. `server`: the LiveKit server's program and its configuration file."""
    callpool = (sys.executable, "-m", "callpool", *(("--config", str(config)) if config else ()))
    drain_s = settings.worker.drain_timeout_s if "worker.drain_timeout_s" in settings.given else DRAIN_S
    made = {
        "web": Service(Program("web", (*callpool, "web"), env), f"{addresses.web}/healthz"),
        "worker": Service(
            Program("worker", (*callpool, "worker"), env, stop_s=drain_s + JOB_END_S),
            f"{addresses.worker}/readyz",
        ),
    }
    program = Program("dispatcher", (*callpool, "dispatcher"), env)
    made["dispatcher"] = Service(program, f"{addresses.dispatcher}/healthz")
    if addresses.providers:
        program = Program("providers", (*callpool, "providers"), env)
        made["providers"] = Service(program, f"{addresses.providers}/healthz")
    if server is not None:
        path, configuration = server
        program = Program("livekit", (str(path), "--config", str(configuration)), environment(), stop_s=1.5)
        made["livekit"] = Service(program, addresses.livekit_health)
    return made


def _near(ip: str) -> str:
    """Where a listener on `ip` is reached from this machine."""
    return LOOPBACK if is_wildcard(ip) else ip
