"""A spoken call as a collector, a scraper and a store see it."""

from __future__ import annotations

import math
import secrets
import statistics
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from livekit import api
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from callpool import settings
from callpool.caller.conversation import Invitation
from callpool.cost import CostItem
from callpool.prices import SHIPPED
from callpool.store.record import CallRecord, Turn
from callpool.telemetry.turns import ANSWER_PHASES, PHASES
from otlp_receiver import OtlpReceiver, serving, values
from processes import any_ports, started
from telephone import Dialled, Telephone, telephone_of

pytestmark = [pytest.mark.call, pytest.mark.timeout(240)]

MINUTE_USD = 0.01
PARENT = "b7ad6b7169203331"
NUMBER = "The order number is one two three four five."
NAME = "My name is James Miller."
WHERE = "Where is my order?"

SAID = ("headphones", "Miller", "12345")
"""What callers and agents say and tools are given, in the words in which it is exported."""
PHONE_NUMBER = "+491511223344"
IS = (
    "identity-zanzibar",
    "Quentin Quokka",
    "metadata-zanzibar",
    "room-zanzibar",
    "header-zanzibar",
    PHONE_NUMBER,
)
"""What a caller is, by the words that are planted in it."""


@dataclass(frozen=True)
class Watched:
    """A `callpool up` whose telemetry goes to a receiver."""

    receiver: OtlpReceiver
    settings: settings.Settings
    _listening: ExitStack

    def kill_collector(self) -> None:
        self._listening.close()

    def revive_collector(self) -> None:
        self._listening.enter_context(serving(self.receiver))


@contextmanager
def watched(folder: Path, livekit_program: Path, **env: str) -> Iterator[Watched]:
    with ExitStack() as listening:
        receiver = listening.enter_context(serving(OtlpReceiver()))
        more = {"CALLPOOL_LIVEKIT_SERVER": str(livekit_program), "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        with started(folder, any_ports(**more, OTEL_BSP_SCHEDULE_DELAY="200", **env)) as up:
            up.ready()
            yield Watched(receiver, settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)}), listening)


@pytest.fixture(scope="module")
def discreet(tmp_path_factory: pytest.TempPathFactory, livekit_program: Path) -> Iterator[Watched]:
    """As it is by default: nothing personal leaves. Its models are called as those that cost something."""
    priced = {
        "CALLPOOL_DEEPGRAM_MODEL": "nova-3",
        "CALLPOOL_OPENAI_MODEL": "gpt-4.1-mini",
        "CALLPOOL_CARTESIA_MODEL": "sonic-3",
        "CALLPOOL_INFRASTRUCTURE_USD_PER_MINUTE": str(MINUTE_USD),
    }
    with watched(tmp_path_factory.mktemp("discreet"), livekit_program, **priced) as service:
        yield service


@pytest.fixture(scope="module")
def frank(tmp_path_factory: pytest.TempPathFactory, livekit_program: Path) -> Iterator[Watched]:
    """Where what callers say may leave."""
    folder = tmp_path_factory.mktemp("frank")
    with watched(folder, livekit_program, CALLPOOL_TELEMETRY_PII="true") as service:
        yield service


async def dial_traced(telephone: Telephone, trace_id: str) -> Dialled:
    """A call of a page that traces its own part."""
    headers = {"traceparent": f"00-{trace_id}-{PARENT}-01", "X-Callpool-Caller": "synthetic"}
    async with telephone.speech.http.post(f"{telephone.running.web}/api/calls", headers=headers) as answer:
        ticket = await answer.json()
    names = ("call_id", "room", "livekit_url", "token")
    return await telephone.join(Invitation(*(ticket[name] for name in names)))


async def verified(call: Dialled) -> None:
    """The caller has said whose order it is about."""
    await call.greeting()
    await call.say(f"Hello, I would like to know where my order is. {NUMBER}")
    await call.say(NAME)


def spans_of(receiver: OtlpReceiver, trace_id: str) -> list[Span]:
    """All spans of a trace, once the job's own has arrived, which is the last one."""

    def found() -> list[Span]:
        spans = [span for span in receiver.spans if span.trace_id.hex() == trace_id]
        return spans if any(span.name == "job_entrypoint" for span in spans) else []

    spans: list[Span] = receiver.until(found, "the span of the job")
    return spans


def answered(record: CallRecord) -> list[Turn]:
    return [turn for turn in record.turns if turn.latency_ms.total is not None]


async def test_a_call_is_one_trace_with_a_span_for_each_turn(discreet: Watched) -> None:
    """From the page's request to the hang-up, in all processes; the spans say what the record says."""
    trace_id = secrets.token_hex(16)
    async with telephone_of(discreet.settings) as telephone:
        call = await dial_traced(telephone, trace_id)
        await verified(call)
        over = await telephone.samples("Wait, please stop for a moment, I have another question for you.")
        spoken = await call.caller.speak(await telephone.samples(WHERE))
        assert await call.caller.wait_for_audio(spoken.ended_at, 15) is not None
        await call.caller.barge_in(over)
        await call.answer(spoken.ended_at)
        await call.take_leave()
        record = await telephone.ended(call.invitation.call_id)
    spans = spans_of(discreet.receiver, trace_id)
    assert record.trace_id == trace_id
    assert {turn.trace_id for turn in record.turns} == {trace_id}

    ids = {span.span_id.hex() for span in spans} | {PARENT}
    assert all(span.parent_span_id.hex() in ids for span in spans), "every span hangs on another one"
    names = Counter(span.name for span in spans)
    assert names["callpool.start_call"] == names["callpool.admission"] == names["job_entrypoint"] == 1
    assert {"agent_session", "user_turn", "agent_turn", "llm_node", "tts_node"} <= set(names)
    (start,) = (span for span in spans if span.name == "callpool.start_call")
    assert start.parent_span_id.hex() == PARENT
    assert {values(span.attributes)["callpool.call_id"] for span in spans} == {call.invitation.call_id}

    turns = {
        values(span.attributes)["callpool.turn.n"]: span for span in spans if span.name == "callpool.turn"
    }
    assert sorted(turns) == [turn.n for turn in record.turns]
    for turn in record.turns:
        attributes = values(turns[turn.n].attributes)
        seen = {phase: attributes.get(f"callpool.phase.{phase}_ms") for phase in PHASES}
        assert seen == {phase: getattr(turn.latency_ms, phase) for phase in PHASES}
        assert attributes["callpool.stage"] == turn.stage
    for turn in answered(record):
        assert None not in (turn.latency_ms.end_of_turn, turn.latency_ms.stt_final, turn.latency_ms.playout)

    used = [tool.name for turn in record.turns for tool in turn.tools]
    traced = [
        values(span.attributes)["lk.function_tool.name"] for span in spans if span.name == "function_tool"
    ]
    assert sorted(traced) == sorted(used)
    hand_offs = [values(span.attributes) for span in spans if span.name == "callpool.hand_off"]
    entered = [entry.stage for entry in record.stages]
    assert sorted(one["callpool.hand_off.to"] for one in hand_offs) == sorted(entered[1:])
    assert [event.kind for event in record.events] == ["barge_in"]
    (job,) = (span for span in spans if span.name == "job_entrypoint")
    assert values(job.attributes)["callpool.ending.result"] == "completed"

    def logged() -> dict[str, str]:
        """What was logged in the trace, and for which call."""
        return {
            one.body.string_value: values(one.attributes)["call_id"]
            for one in discreet.receiver.logs
            if one.trace_id.hex() == trace_id
        }

    discreet.receiver.until(lambda: {"call answered", "call ended"} <= logged().keys(), "both in the log")
    assert set(logged().values()) == {call.invitation.call_id}


def scraped(telephone: Telephone) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """The worker's metrics, as Prometheus reads them: name to labels to value."""
    with urllib.request.urlopen(f"{telephone.running.worker}/metrics", timeout=10) as page:
        families = text_string_to_metric_families(page.read().decode())
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in families:
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


async def test_the_metrics_agree_with_the_records(discreet: Watched) -> None:
    """All calls of this worker: how they ended, what their turns took, which tools they used."""
    async with telephone_of(discreet.settings) as telephone:
        call = await telephone.dial()
        await verified(call)
        live = scraped(telephone)
        assert live["callpool_active_jobs"][()] == 1
        before_its_end = sum(live["callpool_turn_latency_seconds_count"].values())
        assert before_its_end >= 2, "turns are measured while the call goes on"
        await call.caller.leave()
        await telephone.ended(call.invitation.call_id)
        records = await telephone.calls.list(100)
        metrics = scraped(telephone)

    turns = [turn for record in records for turn in answered(record)]
    ended = Counter((record.ending.reason, record.ending.result) for record in records if record.ending)
    endings = metrics["callpool_calls_total"].items()
    calls = {tuple(dict(key).values()): count for key, count in endings if count}
    assert calls == ended
    by_stage = Counter(turn.stage for turn in turns)
    counted: Counter[str] = Counter()
    for key, count in metrics["callpool_turn_latency_seconds_count"].items():
        counted[dict(key)["stage"]] += int(count)
    assert counted == by_stage
    total_s = sum(turn.latency_ms.total or 0 for turn in turns) / 1000
    assert sum(metrics["callpool_turn_latency_seconds_sum"].values()) == pytest.approx(total_s)
    for phase in ANSWER_PHASES:
        known = [ms for turn in turns if (ms := getattr(turn.latency_ms, phase)) is not None]
        assert metrics["callpool_turn_phase_seconds_count"][(("phase", phase),)] == len(known)
    tools = Counter(tool.name for record in records for turn in record.turns for tool in turn.tools)
    counted = Counter()
    for key, count in metrics["callpool_tool_calls_total"].items():
        counted[dict(key)["tool"]] += int(count)
    assert counted == tools
    barge_ins = sum(event.kind == "barge_in" for record in records for event in record.events)
    assert metrics["callpool_barge_in_seconds_count"][()] == barge_ins
    assert metrics["callpool_first_audio_seconds_count"][()] == len(records)


def priced_by_hand(item: CostItem) -> float:
    """From the table as it is shipped."""
    if item.provider == "callpool":
        return item.quantity * MINUTE_USD
    price = yaml.safe_load(SHIPPED.read_text())[f"{item.provider}/{item.model}"]
    match item.unit:
        case "input_tokens" | "output_tokens":
            return float(item.quantity * price[item.unit.removesuffix("_tokens")] / 1e6)
        case "characters":
            return float(item.quantity * price["characters"] / 1e6)
        case "audio_s":
            return float(item.quantity * price["audio_minute"] / 60)
    raise AssertionError(f"{item} was not expected")


async def test_the_cost_agrees_with_a_hand_calculation(discreet: Watched) -> None:
    """Item by item, turn by turn, and in the metrics; what was heard and said is what is charged for."""
    async with telephone_of(discreet.settings) as telephone:
        records = await telephone.calls.list(100)
        metrics = scraped(telephone)
    for record in records:
        items = record.cost.items
        assert [item.usd for item in items] == [pytest.approx(priced_by_hand(item)) for item in items]
        assert record.cost.total_usd == pytest.approx(math.fsum(item.usd or 0 for item in items))
        in_turns = math.fsum(turn.cost_usd or 0 for turn in record.turns)
        assert in_turns == pytest.approx(record.cost.total_usd, abs=1e-9)
        units = {item.unit for item in items}
        assert units == {"input_tokens", "output_tokens", "characters", "audio_s", "job_minutes"}
        assert record.ended_at is not None
        lasted_s = (record.ended_at - record.started_at).total_seconds()
        minutes = sum(item.quantity for item in items if item.unit == "job_minutes")
        assert minutes * 60 == pytest.approx(lasted_s, abs=2.0)
        heard_s = sum(item.quantity for item in items if item.unit == "audio_s")
        assert 0.5 * lasted_s < heard_s < lasted_s + 2.0
        spoken = sum(len(turn.agent_text or "") for turn in record.turns)
        assert sum(item.quantity for item in items if item.unit == "characters") >= 0.8 * spoken
    by_stage: Counter[str] = Counter()
    for key, usd in metrics["callpool_cost_usd_total"].items():
        by_stage[dict(key)["stage"]] += usd
    expected: Counter[str] = Counter()
    for record in records:
        expected.update(record.cost.by("stage"))
    assert {stage: usd for stage, usd in by_stage.items() if usd} == pytest.approx(dict(expected))


async def test_a_collector_that_dies_in_mid_call_slows_no_turn(discreet: Watched) -> None:
    """What it misses is counted, and the next call is seen when it is back."""
    receiver = discreet.receiver
    async with telephone_of(discreet.settings) as telephone:
        call = await telephone.dial()
        await verified(call)
        discreet.kill_collector()
        for _ in range(4):
            await call.say(WHERE)
        await call.caller.leave()
        record = await telephone.ended(call.invitation.call_id)
        metric, labels = "callpool_telemetry_dropped_total", (("signal", "traces"),)
        receiver.until(lambda: scraped(telephone).get(metric, {}).get(labels), "spans are missed", 15)
        discreet.revive_collector()
        times = [turn.latency_ms.total or 0 for turn in answered(record)]
        before, after = times[:-4], times[-4:]
        assert statistics.median(after) <= max(before) * 1.5
        again = await telephone.dial()
        await again.greeting()
        await again.caller.leave()
        ended = await telephone.ended(again.invitation.call_id)
    assert ended.trace_id is not None
    assert spans_of(receiver, ended.trace_id)


async def planted_call(service: Watched) -> CallRecord:
    """A phone caller all of whose properties are marked, and who says what is to be found, or not."""
    async with telephone_of(service.settings) as telephone:
        livekit = telephone.settings.livekit
        room = f"room-zanzibar-{secrets.token_hex(4)}"
        token = (
            api.AccessToken(livekit.api_key, livekit.api_secret.reveal())
            .with_identity("identity-zanzibar")
            .with_name("Quentin Quokka")
            .with_metadata("metadata-zanzibar")
            .with_kind("sip")
            .with_attributes({"sip.phoneNumber": PHONE_NUMBER, "sip.h.x-note": "header-zanzibar"})
            .with_grants(api.VideoGrants(room_join=True, room=room))
            .with_room_config(api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name="callpool")]))
        )
        call = await telephone.join(Invitation("", room, livekit.url, token.to_jwt()))
        await verified(call)
        await call.say("Please open a ticket: my headphones are broken.")
        await call.caller.leave()
        return await telephone.ended(room)


async def test_nothing_personal_leaves(discreet: Watched, frank: Watched) -> None:
    """What a caller says and is: all of it is found where it may leave, and then nowhere else."""
    open_call, kept_call = await planted_call(frank), await planted_call(discreet)
    assert open_call.trace_id is not None
    assert kept_call.trace_id is not None
    for span in spans_of(frank.receiver, open_call.trace_id):
        for key, value in values(span.attributes).items():
            holds = any(word in str(value) for word in (*SAID, *IS))
            assert not holds or "pii" in key.split("."), f"{key} of {span.name} is personal"
    found = {word: frank.receiver.holding(word) for word in (*SAID, *IS)}
    assert [word for word, requests in found.items() if not requests] == []
    assert {request.signal for requests in found.values() for request in requests} == {"traces"}

    spans_of(discreet.receiver, kept_call.trace_id)
    assert [word for word in (*SAID, *IS) if discreet.receiver.holding(word)] == []
    assert discreet.receiver.holding("data_collection"), "what is not personal is there"
