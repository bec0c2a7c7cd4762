"""What the doctor says of configurations and endpoints in different states of health."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from callpool import settings
from callpool.doctor import Finding, examine, machine, run, servers
from callpool.doctor.finding import examined, told
from callpool.doctor.keys import judged
from callpool.running import UP_FILE
from callpool.store import schema
from callpool.store.engine import create_engine

SECRET = "sk-nobody-may-see-this-0123456789-0123456789"
Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def answering(status: int = 200, headers: Mapping[str, str] | None = None) -> AsyncIterator[str]:
    """An HTTP server that gives every request the same answer; gives its origin."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({}, status=status, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def settings_of(folder: Path, **env: str) -> settings.Settings:
    """Settings without files of their own, on ports that nobody uses."""
    ports = {
        f"CALLPOOL_{name}_PORT": "0" for name in ("WEB", "WORKER", "PROVIDERS", "LIVEKIT", "LIVEKIT_UDP")
    }
    return settings.load(ports | {"CALLPOOL_DATA_DIR": str(folder)} | env)


def of(findings: list[Finding], name: str) -> Finding:
    return next(finding for finding in findings if finding.name == name)


async def test_a_fresh_machine_has_nothing_wrong(tmp_path: Path) -> None:
    """Nothing is set and nothing runs: no failure, and each note says what to do."""
    findings = await examine(settings_of(tmp_path))
    assert not [finding for finding in findings if finding.ok is False]
    for name in ("callpool up", "deepgram", "openai", "cartesia", "livekit"):
        assert of(findings, name).ok is None
        assert "make up" in of(findings, name).advice
    assert of(findings, "store").ok
    assert not files_in(tmp_path), "looking at the store does not make it"


async def test_a_mistyped_variable_is_pointed_out(tmp_path: Path) -> None:
    """A CALLPOOL_ variable that no setting has is a note, not a failure."""
    findings = await examine(settings_of(tmp_path, CALLPOOL_WEB_PROT="8080"))
    noted = [finding for finding in findings if "CALLPOOL_WEB_PROT" in finding.detail]
    assert [finding.ok for finding in noted] == [None]


async def test_a_roster_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    """The module is looked for and not imported."""
    finding = of(await examine(settings_of(tmp_path, CALLPOOL_ROSTER="no.such.module")), "roster")
    assert finding.ok is False
    assert "no.such.module" in finding.detail


async def test_a_roster_whose_package_breaks_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the rest is examined all the same."""
    (tmp_path / "broken_agents").mkdir()
    (tmp_path / "broken_agents" / "__init__.py").write_text("raise RuntimeError('no model here')\n")
    monkeypatch.syspath_prepend(tmp_path)
    findings = await examine(settings_of(tmp_path, CALLPOOL_ROSTER="broken_agents.roster"))
    assert of(findings, "roster").ok is False
    assert "no model here" in of(findings, "roster").detail
    assert of(findings, "store").ok


@pytest.mark.parametrize(("half", "missing"), [("KEY", "SECRET"), ("SECRET", "KEY")])
async def test_half_a_livekit_key_pair_is_a_failure(tmp_path: Path, half: str, missing: str) -> None:
    """The advice is the variable to set."""
    url = f"ws://127.0.0.1:{closed_port()}"
    wanted = settings_of(tmp_path, LIVEKIT_URL=url, **{f"LIVEKIT_API_{half}": SECRET})
    finding = of(await examine(wanted), "livekit")
    assert finding.ok is False
    assert finding.advice == f"set LIVEKIT_API_{missing}"


@pytest.mark.parametrize(
    ("status", "ok"), [(200, True), (401, False), (403, False), (404, True), (429, None), (503, False)]
)
async def test_a_key_is_judged_by_the_providers_answer(tmp_path: Path, status: int, ok: bool | None) -> None:
    """Accepted, refused, not checkable on a server of one's own, out of quota, out of order."""
    async with answering(status) as origin:
        findings = await examine(
            settings_of(
                tmp_path,
                DEEPGRAM_BASE_URL=origin,
                DEEPGRAM_API_KEY=SECRET,
                OPENAI_BASE_URL=f"{origin}/v1",
                OPENAI_API_KEY=SECRET,
                CARTESIA_BASE_URL=origin,
                CARTESIA_API_KEY=SECRET,
            )
        )
    for name in ("deepgram", "openai", "cartesia"):
        assert of(findings, name).ok is ok
        assert origin in of(findings, name).detail


def test_a_refused_key_names_its_variable() -> None:
    """The advice is the setting to change."""
    assert "CARTESIA_API_KEY" in judged("cartesia", "https://example.com", 401, has_key=True).advice


async def test_each_provider_gets_its_own_credential(tmp_path: Path) -> None:
    """Deepgram's Token, OpenAI's Bearer, Cartesia's X-API-Key with a version."""
    seen: dict[str, Mapping[str, str]] = {}

    async def note(request: web.Request) -> web.Response:
        seen[request.path] = dict(request.headers)
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/{path:.*}", note)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        await examine(
            settings_of(
                tmp_path,
                DEEPGRAM_BASE_URL=origin,
                DEEPGRAM_API_KEY="d",
                OPENAI_BASE_URL=f"{origin}/v1",
                OPENAI_API_KEY="o",
                CARTESIA_BASE_URL=origin,
                CARTESIA_API_KEY="c",
            )
        )
    finally:
        await runner.cleanup()
    assert seen["/v1/auth/token"]["Authorization"] == "Token d"
    assert seen["/v1/models"]["Authorization"] == "Bearer o"
    assert seen["/voices"]["X-API-Key"] == "c"
    assert seen["/voices"]["Cartesia-Version"]


async def test_what_cannot_be_reached_names_the_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, a line for each, and no secret in any of them."""
    port = closed_port()
    code = await run(
        settings_of(
            tmp_path,
            OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1",
            OPENAI_API_KEY=SECRET,
            LIVEKIT_URL=f"ws://127.0.0.1:{port}",
            LIVEKIT_API_KEY="key",
            LIVEKIT_API_SECRET=SECRET,
            CALLPOOL_STORE_URL=f"postgresql://user:{SECRET}@127.0.0.1:{port}/calls",
        ),
        as_json=False,
    )
    printed = capsys.readouterr().out
    assert code == 1
    lines = {line.split()[1]: line for line in printed.splitlines() if line.startswith("FAIL")}
    assert "OPENAI_BASE_URL" in lines["openai"]
    assert "LIVEKIT_URL" in lines["livekit"]
    assert set(lines) == {"openai", "livekit", "store"}
    assert SECRET not in printed


async def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get the same findings."""
    code = await run(settings_of(tmp_path), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert code == 0
    assert document["ok"] is True
    assert {"name", "ok", "detail", "advice"} == set(document["findings"][0])


async def test_a_check_that_hangs_is_cut_short() -> None:
    """The time-out is a finding of its own."""
    finding = await examined("slow", asyncio.Event().wait(), timeout_s=0.05)  # type: ignore[arg-type]
    assert finding.ok is False
    assert "0.05 s" in finding.detail


def test_passwords_in_urls_are_hidden() -> None:
    """Whatever a check says, the report does not print a password."""
    assert SECRET not in told([Finding("x", True, f"postgresql://u:{SECRET}@h/d", "")], as_json=False)


@pytest.mark.parametrize(("off_by_s", "ok"), [(0, True), (30, True), (-300, False), (300, False)])
async def test_the_clock_is_compared_with_livekits(tmp_path: Path, off_by_s: int, ok: bool) -> None:
    """Tokens bear a minute."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=off_by_s), usegmt=True)
    async with answering(headers={"Date": date}) as origin, aiohttp.ClientSession() as http:
        wanted = settings_of(tmp_path, LIVEKIT_URL=origin.replace("http", "ws"))
        finding = await servers.clock(http, wanted, None)
    assert finding.ok is ok
    if off_by_s:
        assert ("behind" if off_by_s > 0 else "ahead of") in finding.detail


async def test_the_stores_schema_is_compared_with_this_versions(tmp_path: Path) -> None:
    """In order after a migration; a newer one is not taken for an older one."""
    wanted = settings_of(tmp_path)
    engine = create_engine(wanted.store_url)
    try:
        await schema.prepare(engine)
        assert (await servers.store(wanted)).ok is True
        async with engine.begin() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    finally:
        await engine.dispose()
    finding = await servers.store(wanted)
    assert finding.ok is not True
    assert "9999" in finding.detail


async def test_a_busy_port_names_who_has_it(tmp_path: Path) -> None:
    """One that was asked for is a failure; `up` would refuse to start."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = await machine.ports(settings_of(tmp_path, CALLPOOL_WEB_PORT=str(port)))
    finding = of(found, "port web.port")
    assert finding.ok is False
    assert str(port) in finding.detail
    assert "CALLPOOL_WEB_PORT" in finding.advice


async def test_an_up_file_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    """The rest is examined all the same."""
    (tmp_path / UP_FILE).write_text("{")
    findings = await examine(settings_of(tmp_path))
    assert of(findings, "callpool up").ok is False
    assert of(findings, "store").ok


async def test_an_up_file_of_the_dead_is_recognised(tmp_path: Path) -> None:
    """A file whose processes are gone does not count as a running service."""
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    (tmp_path / UP_FILE).write_text(json.dumps({"web": "http://127.0.0.1:9", "pids": {"up": process.pid}}))
    finding = of(await examine(settings_of(tmp_path)), "callpool up")
    assert finding.ok is None
    assert "left an up.json behind" in finding.detail


@pytest.mark.parametrize(
    ("heard", "good"),
    [
        (machine.SENTENCE, True),
        ("i would like to know where my order is", True),
        ("I would like to know where my water is.", True),
        ("", False),
        ("Thank you for watching.", False),
    ],
)
def test_a_blurred_word_is_forgiven_and_another_sentence_is_not(heard: str, good: bool) -> None:
    """The local engines are small: one word in nine may be off."""
    assert (machine.alike(heard, machine.SENTENCE) >= machine.ALIKE) is good


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
