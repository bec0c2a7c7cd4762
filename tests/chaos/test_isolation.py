"""What a caller notices when the job of another one leaks, spins, hangs or crashes: nothing."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest
import yaml
from faulty_roster import ORDERS

from callpool import settings
from callpool.caller.sound import Samples
from callpool.caller.speech import Speech
from callpool.isolation import FIRST_TO_GO, MOST_NICE
from callpool.settings import Settings
from processes import any_ports, local_providers, started
from telephone import Dialled, Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(240)]

HERE = Path(__file__).parent
LATENCY = "stt_final=150,ttft=350,ttfb=90"
"""Fixed, so that what is measured is what the jobs do."""
REQUEST = "Would you please do your work?"
CALM_TURNS = 5
MOST = 1.5
"""How much slower the median turn of a sibling may be meanwhile: 1.2 is what is aimed at, and the machine
that runs the tests is not a quiet one."""
NOISE_S = 0.25
"""What few turns on a busy machine differ by, seconds."""
FAULTS = {
    "spin": {"spinning", "hanging"},  # the latter where it must share its core with too many
    "churn": {"spinning"},
    "leak": {"leaking"},
    "hang": {"hanging"},
    "block": {"hanging"},
    "stop": {"hanging"},
    "crash": {"job_died"},
}
"""What befalls a call, and how the end of its job is told."""


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("orders")


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory, free_port: Callable[[], int]) -> Samples:
    """What callers say, in a real voice: the one of fixed latency only hums."""

    async def synthesized(engines: Settings) -> Samples:
        async with aiohttp.ClientSession() as http:
            return await Speech(http, engines.deepgram, engines.cartesia).synthesize(REQUEST)

    with local_providers(tmp_path_factory.mktemp("voice"), free_port()) as origin:
        env = {"CARTESIA_BASE_URL": origin, "CALLPOOL_CARTESIA_MODEL": "local-piper"}
        return asyncio.run(synthesized(settings.load(env)))


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    livekit_program: Path,
    free_port: Callable[[], int],
    orders: Path,
    said: Samples,
) -> Iterator[Settings]:
    """One worker, whose agent uses its tool in every turn."""
    folder = tmp_path_factory.mktemp("service")
    script = folder / "script.yaml"
    answer = {"text": "That is done now.", "tools": [{"name": "work", "arguments": {}}]}
    script.write_text(yaml.safe_dump({"hears": [{"text": "Do your work."}], "says": [answer]}))
    with local_providers(folder, free_port(), "--latency", LATENCY, "--script", str(script)) as origin:
        providers = {
            "DEEPGRAM_BASE_URL": origin,
            "OPENAI_BASE_URL": f"{origin}/v1",
            "CARTESIA_BASE_URL": origin,
            "CALLPOOL_DEEPGRAM_MODEL": "local-moonshine",
            "CALLPOOL_OPENAI_MODEL": "local-standin",
            "CALLPOOL_CARTESIA_MODEL": "local-piper",
        }
        env = any_ports(
            CALLPOOL_LIVEKIT_SERVER=str(livekit_program),
            CALLPOOL_ROSTER="faulty_roster",
            CALLPOOL_JOB_MEMORY_LIMIT_MB="400",
            CALLPOOL_JOB_NICE="1",
            CALLPOOL_JOB_CPU_LIMIT="0.4",  # a machine that runs tests has no whole core to give away
            CALLPOOL_JOB_CPU_LIMIT_S="6",
            CALLPOOL_JOB_ANSWER_S="5",
            CALLPOOL_SILENCE_S="120",  # the other caller waits meanwhile
            PYTHONPATH=os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))),
            **providers,
            **{ORDERS: str(orders)},
        )
        with started(folder, env) as up:
            up.ready()
            yield settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir), **providers})


@pytest.fixture
async def telephone(service: Settings) -> AsyncIterator[Telephone]:
    async with telephone_of(service) as telephone:
        yield telephone


class Sibling:
    """A caller who goes on talking, and notes how long each answer takes."""

    def __init__(self, call: Dialled, said: Samples) -> None:
        self._caller = call.caller
        self._said = said

    async def turn(self) -> float:
        """Seconds from the end of the caller's voice to the agent's first sound."""
        spoken = await self._caller.speak(self._said)
        answer = await self._caller.wait_for_agent(spoken.ended_at)
        assert answer is not None, "the sibling was not answered"
        return answer.started_at - spoken.ended_at

    async def turns_until(self, over: Callable[[], bool]) -> list[float]:
        latencies_s = []
        while not over():
            latencies_s.append(await self.turn())
        return latencies_s


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_job_that_goes_bad_is_killed_and_its_sibling_notices_nothing(
    telephone: Telephone, orders: Path, service: Settings, said: Samples, fault: str
) -> None:
    """Its turns take as long as before, its record is whole, and the bad job's end has the right reason."""
    log = service.local.data_dir.parent / "up.log"
    call, doomed = await telephone.dial(), await telephone.dial()
    await asyncio.gather(*(one.caller.wait_for_agent(one.caller.joined_at) for one in (call, doomed)))
    sibling = Sibling(call, said)
    await sibling.turn()  # the first one opens connections
    before_s = [await sibling.turn() for _ in range(CALM_TURNS)]

    doomed_id = doomed.invitation.call_id
    (orders / doomed_id).write_text(fault)
    await doomed.caller.speak(said)
    async with asyncio.timeout(10):
        while not (orders / f"{doomed_id}.begun").exists():
            await asyncio.sleep(0.01)
    began = time.monotonic()

    def over() -> bool:
        return any(doomed_id in line and "action=job_died" in line for line in log.read_text().splitlines())

    async def end() -> float:
        while not over():
            await asyncio.sleep(0.05)
        return time.monotonic() - began

    async with asyncio.timeout(60):
        killed_after_s, during_s = await asyncio.gather(end(), sibling.turns_until(over))
    during_s = during_s or [await sibling.turn()]
    before, during = statistics.median(before_s), statistics.median(during_s)
    print(
        f"{fault}: over after {killed_after_s:.1f} s; sibling's median turn "
        f"{before * 1000:.0f} ms before (n={len(before_s)}), "
        f"{during * 1000:.0f} ms meanwhile (n={len(during_s)}), ratio {during / before:.2f}"
    )
    assert during < before * MOST + NOISE_S
    await sibling.turn()
    spared = await telephone.calls.get(call.invitation.call_id)
    assert spared is not None
    assert spared.ending is None
    assert len(spared.jobs) == 1
    assert all(tool.ok for turn in spared.turns for tool in turn.tools)
    record = await telephone.record(doomed_id, lambda record: record.jobs[0].how, "the job's end is written")
    assert record.jobs[0].how in FAULTS[fault]
    await call.caller.leave()


async def test_a_job_stands_behind_its_worker(telephone: Telephone) -> None:
    """With all of its threads where CPU is short, and as the first to go without memory."""
    call = await telephone.dial()
    await call.caller.wait_for_agent(call.caller.joined_at)
    record = await telephone.record(call.invitation.call_id, lambda record: record.jobs, "it has a job")
    pid, worker = record.jobs[0].pid, telephone.running.pids["worker"]
    of_worker = os.getpriority(os.PRIO_PROCESS, worker)
    threads = psutil.Process(pid).threads()
    assert {os.getpriority(os.PRIO_PROCESS, one.id) for one in threads} == {min(of_worker + 1, MOST_NICE)}
    assert goes_first(pid) == FIRST_TO_GO
    assert goes_first(worker) < FIRST_TO_GO
    print(f"a job in a call: {psutil.Process(pid).memory_full_info().pss / 1e6:.0f} MB (PSS)")
    await call.caller.leave()


def goes_first(pid: int) -> int:
    """How much sooner than others a process goes when the machine runs out of memory."""
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())
