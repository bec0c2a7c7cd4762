"""What `callpool up` would start: ports, addresses, environments, keys."""

from __future__ import annotations

import io
import json
import os
import socket
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from callpool import settings
from callpool.errors import CallpoolError, SettingError
from callpool.local import livekit_server
from callpool.local.console import QUEUE_LINES, Console
from callpool.local.data_directory import DataDirectory
from callpool.local.plan import Addresses, child_environment, services
from callpool.local.ports import Ports, address
from callpool.settings import Settings
from processes import any_ports

ANY = any_ports()


def configured(tmp_path: Path, **env: str) -> Settings:
    return settings.load(ANY | {"CALLPOOL_DATA_DIR": str(tmp_path / "data")} | env)


def environment_of(made: Settings, host: str | None = None, **outer: str) -> dict[str, str]:
    home = DataDirectory.claim(made.local.data_dir)
    try:
        addresses = Addresses.choose(made, host, lambda _: None)
        return child_environment(made, addresses, home.livekit_keys(made), home.path, outer)
    finally:
        home.release()


def test_a_provider_without_a_key_is_a_local_one(tmp_path: Path) -> None:
    """Base URLs, placeholder keys and models of the local providers, in the shape that each plugin wants."""
    env = environment_of(configured(tmp_path))
    origin = f"http://127.0.0.1:{env['CALLPOOL_PROVIDERS_PORT']}"
    assert (env["DEEPGRAM_BASE_URL"], env["DEEPGRAM_API_KEY"]) == (origin, "local")
    assert (env["OPENAI_BASE_URL"], env["OPENAI_API_KEY"]) == (f"{origin}/v1", "local")
    assert (env["CARTESIA_BASE_URL"], env["CARTESIA_API_KEY"]) == (origin, "local")
    assert env["CALLPOOL_DEEPGRAM_MODEL"] == "local-moonshine"


def test_the_log_of_up_is_text_unless_it_was_set(tmp_path: Path) -> None:
    """A person reads it, also in a file."""
    assert environment_of(configured(tmp_path))["CALLPOOL_LOG_FORMAT"] == "text"
    json_env = {"CALLPOOL_LOG_FORMAT": "json"}
    assert environment_of(configured(tmp_path, **json_env), **json_env)["CALLPOOL_LOG_FORMAT"] == "json"
    # Set in callpool.toml: the children read that file themselves.
    made = settings.load(ANY | {"CALLPOOL_DATA_DIR": str(tmp_path)}, flags={"telemetry.log_format": "json"})
    assert "CALLPOOL_LOG_FORMAT" not in environment_of(made)


def test_the_children_have_the_roster_of_the_flag(tmp_path: Path) -> None:
    """`up --roster` is a flag of `up` alone: its worker and its local providers read the environment."""
    made = settings.load(
        ANY | {"CALLPOOL_DATA_DIR": str(tmp_path / "data")}, flags={"worker.roster": "blue_door.roster"}
    )
    assert environment_of(made)["CALLPOOL_ROSTER"] == "blue_door.roster"


def test_a_provider_with_a_key_is_left_alone(tmp_path: Path) -> None:
    """A key, or a base URL, switches the local one off for that provider only."""
    made = configured(tmp_path, OPENAI_API_KEY="real", DEEPGRAM_BASE_URL="http://10.0.0.1:9000")
    env = environment_of(made)
    assert "OPENAI_BASE_URL" not in env
    assert "DEEPGRAM_BASE_URL" not in env
    assert "CALLPOOL_OPENAI_MODEL" not in env
    assert env["CARTESIA_API_KEY"] == "local"


def test_a_model_that_was_given_is_kept(tmp_path: Path) -> None:
    """A local provider answers to any model's name."""
    env = environment_of(configured(tmp_path, CALLPOOL_OPENAI_MODEL="mine"), CALLPOOL_OPENAI_MODEL="mine")
    assert env["CALLPOOL_OPENAI_MODEL"] == "mine"


def test_children_get_the_name_of_the_secret_file(tmp_path: Path) -> None:
    """What they are given is read back by their own settings, and is the secret."""
    env = environment_of(configured(tmp_path))
    assert env["LIVEKIT_API_SECRET"].startswith("file:///")
    child = settings.load(env)
    assert len(child.livekit.api_secret.reveal()) >= 32
    assert child.livekit.api_secret.reveal() not in env.values()
    assert child.store_url == f"sqlite+aiosqlite:///{tmp_path}/data/callpool.db"


def test_without_local_providers_none_are_started(tmp_path: Path) -> None:
    """Nor is a LiveKit server, when LIVEKIT_URL names one."""
    given = {
        "DEEPGRAM_API_KEY": "d",
        "OPENAI_API_KEY": "o",
        "CARTESIA_API_KEY": "c",
        "LIVEKIT_URL": "wss://elsewhere.example",
        "LIVEKIT_API_KEY": "key",
        "LIVEKIT_API_SECRET": "short",
    }
    made = configured(tmp_path, **given)
    addresses = Addresses.choose(made, None, lambda _: None)
    assert addresses.livekit_url == "wss://elsewhere.example"
    assert set(services(made, addresses, {}, None, None)) == {"web", "worker", "dispatcher"}


def test_a_given_url_wants_its_keys(tmp_path: Path) -> None:
    """The error names the variable that lacks a value."""
    with pytest.raises(SettingError, match="LIVEKIT_API_KEY is not set"):
        environment_of(configured(tmp_path, LIVEKIT_URL="wss://elsewhere.example"))


def test_a_given_secret_that_is_too_short_is_not_shown(tmp_path: Path) -> None:
    """LiveKit asks for 32 characters; the error says so without the secret."""
    made = configured(tmp_path, LIVEKIT_API_KEY="key", LIVEKIT_API_SECRET="hush-hush")
    with pytest.raises(SettingError, match="at least 32 characters") as refused:
        environment_of(made)
    assert "hush" not in str(refused.value)


def test_a_default_port_that_is_taken_is_replaced() -> None:
    """Another one is chosen, and a line says which and why."""
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        made = Settings(web=settings.Web(port=port))
        chosen = Ports(made, "127.0.0.1", said.append).choose("web.port")
    assert chosen != port
    assert said == [f"CALLPOOL_WEB_PORT: {chosen} instead of {port}, since {said[0].split('since ')[1]}"]
    assert f"process {os.getpid()}" in said[0]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_port_that_was_asked_for_and_is_taken_is_refused(transport: str) -> None:
    """The error names the variable and the process in the way."""
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    key, variable = {
        "tcp": ("web.port", "CALLPOOL_WEB_PORT"),
        "udp": ("livekit.udp_port", "CALLPOOL_LIVEKIT_UDP_PORT"),
    }[transport]
    with socket.socket(socket.AF_INET, kind) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        ports = Ports(settings.load({variable: str(port)}), "127.0.0.1", lambda _: None)
        with pytest.raises(SettingError, match=f"{variable} is {port}: .*process {os.getpid()} "):
            ports.choose(key, "tcp" if transport == "tcp" else "udp")


def test_two_parts_do_not_share_a_port(free_port: Callable[[], int]) -> None:
    """The same port asked for twice is refused before anything starts."""
    port = str(free_port())
    made = settings.load({"CALLPOOL_WEB_PORT": port, "CALLPOOL_WORKER_PORT": port})
    ports = Ports(made, "127.0.0.1", lambda _: None)
    ports.choose("web.port")
    with pytest.raises(SettingError, match="CALLPOOL_WORKER_PORT"):
        ports.choose("worker.port")


def test_a_host_that_is_not_this_machine_is_refused() -> None:
    """192.0.2.1 is nobody's address."""
    with pytest.raises(SettingError, match=r"--host is '192\.0\.2\.1'"):
        address("192.0.2.1")
    assert address("localhost") == "127.0.0.1"


def test_livekit_is_strictly_on_loopback() -> None:
    """Its signalling, its media and what it offers to callers."""
    text = livekit_server.configuration(
        ip="127.0.0.1", node_ip="127.0.0.1", port=1, udp_port=2, api_key="k", secret="s"
    )
    document = yaml.safe_load(text)
    assert document["bind_addresses"] == ["127.0.0.1"]
    assert document["rtc"]["tcp_port"] == 0
    assert document["rtc"]["node_ip"] == "127.0.0.1"
    assert document["rtc"]["interfaces"]["includes"][0].startswith("lo")


def test_livekit_tells_the_dispatcher_what_happens() -> None:
    """Its webhooks are signed with the key that the dispatcher checks."""
    where = "http://127.0.0.1:9/webhooks/livekit"
    text = livekit_server.configuration(
        ip="127.0.0.1", node_ip="127.0.0.1", port=1, udp_port=2, api_key="k", secret="s", webhook=where
    )
    assert yaml.safe_load(text)["webhook"] == {"api_key": "k", "urls": [where]}


def test_a_wildcard_host_opens_everything_but_the_providers(tmp_path: Path) -> None:
    """Callers get an address that they can reach; the providers stay on loopback."""
    made = configured(tmp_path)
    addresses = Addresses.choose(made, "0.0.0.0", lambda _: None)
    assert addresses.web_ip == addresses.worker_ip == "0.0.0.0"
    assert addresses.livekit_url == f"ws://127.0.0.1:{addresses.livekit_port}"
    assert addresses.public_livekit_url.endswith(f":{addresses.livekit_port}")
    assert "0.0.0.0" not in addresses.public_livekit_url
    assert addresses.providers.startswith("http://127.0.0.1:")


def test_keys_last_as_long_as_the_directory(tmp_path: Path) -> None:
    """Random in each directory, the same at each start, readable by the owner only."""
    made = configured(tmp_path)
    first, again = environment_of(made), environment_of(made)
    other = environment_of(configured(tmp_path, CALLPOOL_DATA_DIR=str(tmp_path / "other")))
    assert first["LIVEKIT_API_KEY"] == again["LIVEKIT_API_KEY"] != other["LIVEKIT_API_KEY"]
    secret = tmp_path / "data" / "livekit-api-secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text() != (tmp_path / "other" / "livekit-api-secret").read_text()


def test_a_directory_has_one_up(tmp_path: Path) -> None:
    """The second one is told the first one's process and page."""
    home = DataDirectory.claim(tmp_path)
    home.publish({"web": "http://127.0.0.1:1234"})
    with pytest.raises(CallpoolError, match=rf"process {os.getpid()}, its page is http://127.0.0.1:1234"):
        DataDirectory.claim(tmp_path)
    home.release()
    assert not (tmp_path / "up.json").exists()
    DataDirectory.claim(tmp_path).release()


def test_what_a_killed_up_left_is_recognised(tmp_path: Path) -> None:
    """An up.json without a lock is stale, whatever process ids stand in it."""
    (tmp_path / "up.json").write_text(json.dumps({"web": "http://127.0.0.1:1", "pids": {"up": os.getpid()}}))
    home = DataDirectory.claim(tmp_path)
    assert home.was_stale
    assert not (tmp_path / "up.json").exists()
    home.release()


def test_each_line_stands_behind_its_process() -> None:
    """Names have one width; without a terminal there is no colour."""
    stream = io.StringIO()
    console = Console(stream, ("up", "livekit"))
    console.of("up")("hello")
    console.of("livekit")("there")
    console.close()
    assert stream.getvalue() == "up      | hello\nlivekit | there\n"


def test_a_reader_who_stops_reading_holds_nobody_up() -> None:
    """Lines beyond the queue are dropped and counted; the writer of a line never waits."""
    reading = threading.Event()

    class Unread(io.StringIO):
        def write(self, text: str) -> int:
            reading.wait()
            return super().write(text)

    stream = Unread()
    console = Console(stream, ("up",))
    for _ in range(QUEUE_LINES + 500):
        console.line("up", "word")
    reading.set()
    console.close()
    lines = stream.getvalue().splitlines()
    dropped = int(next(line for line in lines if "were dropped" in line).split()[0])
    assert lines.count("up | word") + dropped == QUEUE_LINES + 500
    assert dropped >= 499, "one line may be on its way"
