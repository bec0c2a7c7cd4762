"""Every expression of every dashboard and alert, asked of a real Prometheus that scraped real calls."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from running import DEPLOY, running
from shipped import Query, alerts, queries

from callpool import ending, settings
from processes import LOOPBACK, Up, any_ports, local_providers, started, until
from telephone import Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(600)]

NUMBER = "The order number is one two three four five."
WAIT_S = 12.0
"""A caller who waits longer than the alert allows, seconds."""
GIVES_UP_S = 90.0
"""A call whose model is gone has ended by then, seconds."""
CONSTANT = {"sum(callpool_job_capacity)"}
"""What no event of a call changes."""
SELDOM = {
    "60 * sum(rate(callpool_ghosts_removed_total[$__rate_interval]))",
    "sum(callpool_provider_breaker_open)",
    "sum by (provider, part) (callpool_provider_breaker_open)",
    "callpool_draining_seconds > 0",
}
"""What this story does not cause: the tests of the dispatcher, the breakers and draining do."""


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus, and the time of the story that it saw, seconds since 1970."""

    url: str
    began_s: float
    ended_s: float

    def values(self, expression: str) -> list[list[float]]:
        """What a panel would draw: the values of each line over the story. NaN: nothing has happened yet."""
        asked = expression.replace("$__rate_interval", "30s").replace("$__range", "10m")
        query = {"query": asked, "start": self.began_s, "end": self.ended_s, "step": 1}
        return [[float(value) for _, value in line["values"]] for line in self._ask("query_range", query)]

    def _ask(self, kind: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        address = f"{self.url}/api/v1/{kind}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


@contextmanager
def prometheus(folder: Path, port: int, worker: str, dispatcher: str) -> Iterator[str]:
    """With the shipped configuration, but for targets and intervals."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("NO PROMETHEUS: it is not on PATH")
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    for job, target in zip(config["scrape_configs"], (worker, dispatcher), strict=True):
        job["static_configs"] = [{"targets": [target.removeprefix("http://")]}]
    shutil.copy(DEPLOY / "prometheus" / "rules.yaml", folder)
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    options = [f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    options.append(f"--web.listen-address={LOOPBACK}:{port}")
    url = f"http://{LOOPBACK}:{port}"
    with running(folder / "prometheus.log", [program, *options], {}, f"{url}/-/ready"):
        yield url


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory, livekit_program: Path, free_port: Callable[[], int]
) -> Iterator[Prometheus]:
    """What Prometheus saw of one story: calls that were answered, waited, interrupted, lost and given up."""
    folder = tmp_path_factory.mktemp("scraped")
    with ExitStack() as model:
        origin = model.enter_context(local_providers(folder, free_port(), "--fault", "openai.500:0.3"))
        env = any_ports(
            CALLPOOL_LIVEKIT_SERVER=str(livekit_program),
            CALLPOOL_CAPACITY="1",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{LOOPBACK}:9",  # nobody takes what is exported
            OPENAI_BASE_URL=f"{origin}/v1",
            CALLPOOL_OPENAI_MODEL="gpt-4.1-mini",
            CALLPOOL_DEEPGRAM_MODEL="nova-3",
            CALLPOOL_CARTESIA_MODEL="sonic-3",
        )
        with started(folder, env) as up:
            up.ready()
            document = up.document
            with prometheus(folder, free_port(), document["worker"], document["dispatcher"]) as url:
                began_s = time.time()
                asyncio.run(story(settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)}), model.close))
                for part in ("worker", "dispatcher"):
                    lose(up, part)
                time.sleep(3)  # of scrapes, which are a second apart
                yield Prometheus(url, began_s, time.time())


def lose(up: Up, part: str) -> None:
    """Kill a part of the service with all its processes, and wait for the next one."""
    pid = up.document["pids"][part]
    process = psutil.Process(pid)
    for one in (process, *process.children(recursive=True)):
        one.kill()
    until(lambda: up.document["pids"][part] != pid, f"another {part} is started", 60)


async def story(here: settings.Settings, lose_the_model: Callable[[], None]) -> None:
    await asyncio.sleep(2)  # nothing happens, and is scraped
    async with telephone_of(here) as telephone:
        first = await telephone.dial()
        await first.greeting()
        second = await telephone.dial()
        waits_until = time.monotonic() + WAIT_S
        await first.say(f"Hello, I would like to know where my order is. {NUMBER}")
        await first.say("My name is James Miller.")
        over = await telephone.samples("Wait, please stop for a moment, I have another question for you.")
        spoken = await first.caller.speak(await telephone.samples("Please tell me again when it arrives."))
        assert await first.caller.wait_for_audio(spoken.ended_at, 20) is not None
        await first.caller.barge_in(over)
        await asyncio.sleep(max(0.0, waits_until - time.monotonic()))
        await first.caller.leave()
        await telephone.ended(first.invitation.call_id)
        await second.answer(time.monotonic())
        await lose_the_job_of(telephone, second.invitation.call_id)
        await second.answer(time.monotonic())
        await second.caller.leave()
        await telephone.ended(second.invitation.call_id)
        await asyncio.to_thread(lose_the_model)
        third = await telephone.dial()
        await third.greeting()
        until_s = time.monotonic() + GIVES_UP_S
        while third.caller.connected and time.monotonic() < until_s:
            spoken = await third.caller.speak(await telephone.samples("Is anybody there who can help me?"))
            await third.caller.wait_for_agent(spoken.ended_at)
        record = await telephone.ended(third.invitation.call_id)
        assert record.ending == ending.PROVIDER_FAILED
    await asyncio.sleep(3)  # of scrapes


async def lose_the_job_of(telephone: Telephone, call_id: str) -> None:
    record = await telephone.record(call_id, lambda record: record.jobs, "somebody serves the call")
    os.kill(record.jobs[-1].pid, signal.SIGKILL)


@pytest.mark.parametrize("query", queries(), ids=str)
def test_a_panel_shows_what_happens(seen: Prometheus, query: Query) -> None:
    """It has data, and they change."""
    drawn = seen.values(query.expression)
    if query.expression in SELDOM:
        return
    values = {str(value) for line in drawn for value in line}
    assert values - {"nan"}, f"{query} shows nothing"
    assert len(values) > 1 or query.expression in CONSTANT, f"{query} shows {values} all the time"


CAUSED = {"CallerUnanswered", "WorkerDown", "NoWorker", "TelemetryDropped"}
"""Alerts whose events are part of the story: for these, what they look for is seen. Of the others, whose
events take minutes, what they compare with their limits is there."""
_LIMIT = re.compile(r"\s*[<>]=?\s*[\d.]+")


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_an_alert_looks_at_what_is_there(seen: Prometheus, alert: dict[str, Any]) -> None:
    """It is silent at first, and sees its event when that is caused."""
    if alert["alert"] in CAUSED:
        lines = seen.values(alert["expr"])
        assert lines
        assert all(lines)
        return
    for part in re.split(r"\band\b", alert["expr"]):
        if "absent(" in part or "breaker_open" in part:
            continue
        assert seen.values(_LIMIT.sub("", part)), f"{part.strip()} finds nothing"
