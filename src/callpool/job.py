"""One call, from dispatch to hang-up.

`warm_up` runs when a process is made, `answer` when a job is given to it, `hang_up` when the job is over,
whatever ended it. To follow a call, read `answer` from top to bottom and open the files that it names.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, CloseEvent, CloseReason, JobContext, JobProcess, vad

from callpool import ending, service_phrases
from callpool.apology import Apology
from callpool.backchannel import Backchannels
from callpool.barge_in import end_speech_at_first_word
from callpool.budget import Budget
from callpool.burial import job_entry
from callpool.call import Call, Caller, from_dispatch, name_of_visit
from callpool.checkpoint import Checkpoints
from callpool.checkpoint import warm_up as warm_up_checkpoints
from callpool.clips import Clips
from callpool.clock import Clock
from callpool.dead_air import DeadAir
from callpool.departure import Departure
from callpool.dtmf import Keypad
from callpool.fallback.standing import Standing
from callpool.greeting import Greeting
from callpool.hand_off import Conversation, Models
from callpool.identification import Identification
from callpool.isolation import step_behind
from callpool.language import Languages
from callpool.language_models import LanguageModels
from callpool.line import Hello, Line, Measured, Resumed
from callpool.live_call import LiveCall
from callpool.manners import Manners, take_leave
from callpool.mcp_servers import McpServers
from callpool.metering import Meter
from callpool.pipeline import build_pipeline, build_session, build_vad, room_options
from callpool.prices import Prices
from callpool.profiles import Member, Profiles
from callpool.pulse import Patience, Progress, Pulse, attended
from callpool.resumption import MOST_RESTARTS, Resumption, restore
from callpool.settings import Settings
from callpool.stages import Roster, Stage, load_roster
from callpool.store.calls import Calls
from callpool.store.writer import Writer
from callpool.telemetry import log_context
from callpool.telemetry.logs import set_up_logs_of_job
from callpool.telemetry.metrics import dropped
from callpool.telemetry.observation import Observation
from callpool.telemetry.trace_context import TraceContext
from callpool.telemetry.tracing import Tracing
from callpool.thrift import Thrift
from callpool.transcript import Transcript
from callpool.voices import voice_name

logger = logging.getLogger(__name__)

NO_CALLER_S = 20.0
"""A dispatched room that stays empty is given up after this long, seconds."""
LEFT_ALREADY_S = 2.0
"""The same for a room that its caller made by joining it: who is not in it now has left again, seconds."""
CLOSED_ROOM = frozenset(
    {
        rtc.DisconnectReason.CLIENT_INITIATED,
        rtc.DisconnectReason.ROOM_DELETED,
        rtc.DisconnectReason.ROOM_CLOSED,
    }
)
"""Why a job leaves a room whose caller is gone. For any other reason it lost the server: also for an unknown
one, which is what a connection says that could not be mended."""


@dataclass(frozen=True)
class Parent:
    """The worker that made this process."""

    worker: str
    """Its stable name."""
    line: Path
    """Where it is reached."""

    @property
    def clips(self) -> Path:
        """Where its calls share what they have synthesized."""
        return self.line.parent / "clips"


@dataclass
class Warm:
    """What a process holds before it is given a call, and the call once it has one."""

    settings: Settings
    roster: Roster[Any, Any]
    business: Any
    profiles: Profiles
    models: LanguageModels
    prices: Prices
    identification: Identification
    mcp: McpServers
    vad: vad.VAD
    calls: Calls
    parent: Parent
    line: Line
    """To the parent."""
    standing: Standing
    """How the providers fare."""
    tracing: Tracing
    live: LiveCall | None = None

    def profile_in(self, call: Call) -> str:
        """The name of the profile that the call's stage thinks with."""
        stage = self.roster.stage(call.stage)
        return self.profiles.of_stage(call.profile, stage.name, stage.profile).label

    def meter_of(self, call: Call) -> Meter:
        """Counts what the call costs from now on."""

        def charged(usd: float, member: Member, stage: str) -> None:
            labels = (member.provider, member.model, stage)
            self.line.say(Measured("callpool_cost_usd_total", usd, labels))

        per_minute = self.settings.costs.infrastructure_usd_per_minute
        meter = Meter(
            self.prices, lambda: call.stage, infrastructure_usd_per_minute=per_minute, charged=charged
        )
        for member, model in self.models.members.items():
            meter.listen(member, model)
        return meter

    def models_of(self, call: Call, stage: Stage[Any, Any]) -> Models:
        """What the agent of a stage thinks with, and the tools that it is offered beside its own."""
        profile = self.profiles.of_stage(call.profile, stage.name, stage.profile)
        return Models(profile.label, self.models.for_profile(profile), tuple(self.mcp.tools_for(stage.name)))


def warm_up(settings: Settings, parent: Parent, proc: JobProcess) -> None:
    """Load everything that a call needs. Runs in a process of its own, before any caller waits."""
    set_up_logs_of_job(settings)
    step_behind(settings.worker.job_nice)
    roster = load_roster(settings.worker.roster)
    profiles = Profiles.read(settings)
    service_phrases.load()
    Backchannels.load()
    warm_up_checkpoints(roster.new_state())
    line = Line(parent.line)
    standing = Standing(line.say)
    line.listen(standing.take)
    tracing = Tracing.of(settings, "job", lambda count: line.say_from_thread(dropped("traces", count)))
    tracing.adopt_sdk(personal=settings.telemetry.pii)
    proc.userdata["warm"] = Warm(
        settings=settings,
        roster=roster,
        business=roster.open_business(settings.business_url),
        profiles=profiles,
        models=LanguageModels(settings, profiles, standing),
        prices=Prices.read(settings),
        identification=Identification(settings.worker.languages),
        mcp=McpServers(settings),
        vad=build_vad(),
        calls=Calls(settings.store_url, plain_texts=settings.store.plain_texts),
        parent=parent,
        line=line,
        standing=standing,
        tracing=tracing,
    )


async def entrypoint(ctx: JobContext) -> None:
    """What the worker runs: `answer`, and the right ending when that breaks."""
    try:
        await answer(ctx)
    except Exception:
        warm: Warm = ctx.proc.userdata["warm"]
        if warm.live is not None:
            warm.live.call.end(ending.JOB_FAILED)
        raise


async def answer(ctx: JobContext) -> None:
    """Take a call: everything between the dispatch and the moment the conversation runs by itself."""
    warm: Warm = ctx.proc.userdata["warm"]
    call = from_dispatch(
        ctx.job.metadata,
        name=name_of_visit(ctx.job.room.sid or ctx.job.id),
        room=ctx.job.room.name,
        agent_name=ctx.job.agent_name,
        languages=warm.settings.worker.languages,
    )
    call.state = warm.roster.new_state()
    call.trace_id = TraceContext.of_dispatch(ctx.job.metadata, call.call_id).hexadecimal
    job = job_entry(ctx.job.id, warm.parent.worker, os.getpid(), call.started_at)
    log_context.bind(call, ctx.job.id)
    warm.live = live = LiveCall(call, ctx, Writer(), warm.calls, job)
    ctx.room.on("disconnected", lambda reason: _on_disconnected(call, reason))
    claim = await live.claim()
    if claim is None:
        live.supersede()
        return
    hello = Hello(ctx.job.id, call.call_id, os.getpid())
    await warm.line.open(hello)
    warm.line.listen(live.hear)
    progress = Progress(Patience.of(warm.settings), lambda: attended(ctx.room, call))
    live.pulse = Pulse(warm.line, hello, progress)
    if claim.cause:
        warm.line.say(Resumed(claim.cause))
    live.meter = meter = warm.meter_of(call)
    seen = Observation(
        call,
        warm.tracing,
        warm.line.say,
        live.save_event,
        personal=warm.settings.telemetry.pii,
        profile=lambda: warm.profile_in(call),
        meter=meter,
    )
    live.observation = seen
    warm.standing.failing = seen.provider_failed
    turn, history = restore(call, claim, [stage.name for stage in warm.roster.stages])
    seen.begin(claim.cause)
    if claim.losses > MOST_RESTARTS:
        await _give_up(live, warm)
        return
    warm.mcp.start()
    languages = Languages(call, warm.identification, on_change=live.save_language)
    conversation = Conversation(
        call,
        warm.roster,
        warm.business,
        on_stage=live.save_stage,
        models=lambda stage: warm.models_of(call, stage),
        languages=languages,
    )
    agent = conversation.begin() if history is None else await conversation.resume(history)

    profile = warm.profiles.of_call(call.profile)
    model = warm.models.for_profile(profile)
    pipeline = build_pipeline(
        warm.settings,
        model,
        warm.vad,
        call.language,
        profile=profile,
        listen_to=languages.ears,
        tag=call.call_id,
        standing=warm.standing,
    )
    pipeline.report_to(meter, profile)
    resumption = None if history is None else Resumption(call, history)
    # Synthesized while the room is being joined.
    greeting = Greeting(resumption.words if resumption else conversation.greeting(), pipeline)
    pipeline.prewarm()
    warm.models.prewarm()
    session = build_session(warm.settings, pipeline, call)
    if history is not None:
        session.history.items.extend(history.items)
    progress.follow(session)
    if turn is not None:
        meter.carry_over(turn.n, turn.cost_usd)
    live.transcript = transcript = Transcript(call, live.save_turn, turn=turn, settle=meter.settle)
    transcript.follow(session)
    seen.follow(session, transcript)
    checkpoints = Checkpoints(call, lambda: transcript.turn, live.save_checkpoint)
    checkpoints.follow(session)
    conversation.follow(session)
    languages.follow(session, pipeline)
    pipeline.follow(session)
    clips = Clips(pipeline.tts, voice_name(warm.settings, profile.tts), warm.parent.clips)
    dead_air = DeadAir(session, clips)
    apology = Apology(session, give_up=lambda: live.finish(ending.PROVIDER_FAILED), clips=clips)
    pipeline.stt.on_deaf = apology.own_up
    Manners(session, warm.settings.manners, end=lambda how: live.finish(how))
    thrift = Thrift(
        session, conversation, meter, warm.models, warm.profiles, claim.spent_usd, seen.reached_budget
    )
    Budget(session, warm.settings.costs, thrift, end=live.finish)
    end_speech_at_first_word(session)
    Clock(session)
    session.on("close", lambda event: _on_close(live, event))

    await session.start(agent, room=ctx.room, room_options=room_options())
    dead_air.start()
    participant = await _meet(live, warm.settings.turns.return_s)
    if participant is None:
        return
    dead_air.expect()
    checkpoints.take()
    seen.meet(participant)
    Departure(ctx, call, warm.settings.turns.return_s).watch(participant)
    Keypad(session, ctx.room, length=warm.roster.keypad_digits).watch(participant)
    if resumption is None:
        await greeting.speak(session)
    elif not conversation.is_end(call.stage):  # the last agent of a call speaks by itself
        await greeting.speak(session)
        resumption.go_on(session)
    logger.info("call answered", extra={"action": "answered", "caller_kind": call.caller.kind})


async def hang_up(ctx: JobContext) -> None:
    """Write the ending and empty the room. The SDK awaits this whatever ended the job, short of a kill."""
    warm: Warm = ctx.proc.userdata["warm"]
    if (live := warm.live) is None:
        return
    call = live.call
    # Unless somebody has said how it ended, the room was closed under the job, or the worker stops.
    call.end(ending.WORKER_STOPPED if ctx.room.isconnected() else ending.CALLER_LEFT)
    if live.transcript is not None:
        live.transcript.finish()
    if live.observation is not None:
        live.observation.leave()
    emptied = await live.write_ending()
    await live.writer.aclose()
    await live.calls.close()
    if live.pulse is not None:
        await live.pulse.stop()
    await asyncio.to_thread(warm.tracing.flush)  # the worker is still told what nobody took
    await warm.line.aclose()
    await warm.mcp.aclose()
    await warm.roster.close_business(warm.business)
    if late := sorted(set(sys.modules) - live.modules):
        logger.warning(
            "modules were imported during the call", extra={"action": "late_import", "modules": late}
        )
    if emptied is not None:
        await emptied


async def _give_up(live: LiveCall, warm: Warm) -> None:
    """Job after job was lost in this call: apologize, and run nothing that may end this one as well."""
    call, ctx = live.call, live.ctx
    logger.error("a call keeps losing its jobs", extra={"action": "too_many_restarts"})
    profile = warm.profiles.of_call(call.profile)
    pipeline = build_pipeline(
        warm.settings, warm.models.for_profile(profile), warm.vad, call.language, profile=profile
    )
    if live.meter is not None:
        pipeline.report_to(live.meter, profile)
    async with AgentSession[Call](tts=pipeline.tts, userdata=call) as session:
        await session.start(Agent(instructions=""), room=ctx.room, room_options=room_options())
        if await _meet(live, warm.settings.turns.return_s) is not None:
            clips = Clips(pipeline.tts, voice_name(warm.settings, profile.tts), warm.parent.clips)
            clips.load(call.language)
            words = service_phrases.words("farewell", call.language)
            await take_leave(session, words, clips.get("farewell", call.language))
    live.finish(ending.TOO_MANY_RESTARTS)


async def _meet(live: LiveCall, return_s: float) -> rtc.RemoteParticipant | None:
    """The caller, once they are in the room. None: they have left again, or nobody came."""
    call, ctx = live.call, live.ctx
    has_left = call.was_invited and not ctx.room.remote_participants
    patience_s = LEFT_ALREADY_S if has_left else NO_CALLER_S
    if has_left and call.is_redispatched:
        patience_s = return_s  # they were here, and may be dialling in again
    try:
        async with asyncio.timeout(patience_s):
            participant = await ctx.wait_for_participant()
    except (TimeoutError, RuntimeError):  # the latter: the room was closed meanwhile
        live.finish(ending.CALLER_LEFT if has_left else ending.NO_CALLER)
        return None
    phone = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    call.caller = Caller("phone" if phone else call.caller.kind, participant.identity)
    live.save_caller()
    return participant


def _on_disconnected(call: Call, reason: rtc.DisconnectReason.ValueType) -> None:
    if reason == rtc.DisconnectReason.PARTICIPANT_REMOVED:
        call.end(ending.AGENT_REMOVED)  # by the dispatcher, which took this job for dead
    elif reason not in CLOSED_ROOM:
        call.end(ending.SERVER_LOST)


def _on_close(live: LiveCall, event: CloseEvent) -> None:
    # Every other reason means little: the SDK itself closes the session of a job that is stopped, and calls
    # that "user initiated". A goodbye, and a caller who left, are noted where they happen.
    if event.reason is CloseReason.ERROR:
        live.call.end(ending.PROVIDER_FAILED)
    live.ctx.shutdown(reason=event.reason.value)
