"""One call, from dispatch to hang-up.

`warm_up` runs when a process is made, `answer` when a job is given to it, `hang_up` when the job is over,
whatever ended it. To follow a call, read `answer` from top to bottom and open the files that it names.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import CloseEvent, CloseReason, JobContext, JobProcess, vad

from callpool import ending, service_phrases
from callpool.apology import Apology
from callpool.backchannel import Backchannels
from callpool.barge_in import end_speech_at_first_word
from callpool.burial import job_entry
from callpool.call import Call, Caller, from_dispatch
from callpool.departure import Departure
from callpool.dtmf import Keypad
from callpool.ending import Ending
from callpool.greeting import Greeting
from callpool.hand_off import Conversation, Models
from callpool.identification import Identification
from callpool.isolation import step_behind
from callpool.language import Languages
from callpool.language_models import LanguageModels
from callpool.line import Hello, Line
from callpool.manners import Manners
from callpool.mcp_servers import McpServers
from callpool.pipeline import build_pipeline, build_session, build_vad, room_options
from callpool.profiles import Profiles
from callpool.pulse import Patience, Progress, Pulse, attended
from callpool.settings import Settings
from callpool.stages import Roster, Stage, load_roster
from callpool.store.calls import Calls
from callpool.store.record import StageEntry, Turn
from callpool.store.writer import Writer
from callpool.transcript import Transcript

logger = logging.getLogger(__name__)

NO_CALLER_S = 20.0
"""A dispatched room that stays empty is given up after this long, seconds."""
LEFT_ALREADY_S = 2.0
"""The same for a room that its caller made by joining it: who is not in it now has left again, seconds."""
RECORD_FIRST_S = 2.0
"""How long the room is kept for the record to be complete before the caller is let go, seconds."""
CLOSED_ROOM = frozenset(
    {
        rtc.DisconnectReason.UNKNOWN_REASON,
        rtc.DisconnectReason.CLIENT_INITIATED,
        rtc.DisconnectReason.PARTICIPANT_REMOVED,
        rtc.DisconnectReason.ROOM_DELETED,
        rtc.DisconnectReason.ROOM_CLOSED,
    }
)
"""Why a job leaves a room whose caller is gone. For any other reason it lost the server."""


@dataclass
class Warm:
    """What a process holds before it is given a call, and the call once it has one."""

    settings: Settings
    roster: Roster[Any, Any]
    business: Any
    profiles: Profiles
    models: LanguageModels
    identification: Identification
    mcp: McpServers
    vad: vad.VAD
    calls: Calls
    line: Line
    """To the worker."""
    live: LiveCall | None = None

    def models_of(self, call: Call, stage: Stage[Any, Any]) -> Models:
        """What the agent of a stage thinks with, and the tools that it is offered beside its own."""
        profile = self.profiles.of_stage(call.profile, stage.name, stage.profile)
        return Models(profile.label, self.models.for_profile(profile), tuple(self.mcp.tools_for(stage.name)))


@dataclass
class LiveCall:
    """A call in progress in this process."""

    call: Call
    ctx: JobContext
    writer: Writer
    calls: Calls
    modules: frozenset[str] = field(default_factory=lambda: frozenset(sys.modules))
    """What was imported when the call began: nothing may be added while somebody waits."""
    pulse: Pulse | None = None

    def save_stage(self, entry: StageEntry) -> None:
        self.writer.submit(lambda: self.calls.stage_entered(self.call.call_id, entry))

    def save_language(self, code: str) -> None:
        self.writer.submit(lambda: self.calls.set_language(self.call.call_id, code))

    def save_turn(self, turn: Turn) -> None:
        self.writer.submit(lambda: self.calls.record_turn(self.call.call_id, turn))


def warm_up(settings: Settings, line: Path, proc: JobProcess) -> None:
    """Load everything that a call needs. Runs in a process of its own, before any caller waits."""
    step_behind(settings.worker.job_nice)
    roster = load_roster(settings.worker.roster)
    profiles = Profiles.read(settings)
    service_phrases.load()
    Backchannels.load()
    proc.userdata["warm"] = Warm(
        settings=settings,
        roster=roster,
        business=roster.open_business(settings.business_url),
        profiles=profiles,
        models=LanguageModels(settings, profiles),
        identification=Identification(settings.worker.languages),
        mcp=McpServers(settings),
        vad=build_vad(),
        calls=Calls(settings.store_url, plain_texts=settings.store.plain_texts),
        line=Line(line),
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
        job_id=ctx.job.id,
        room=ctx.job.room.name,
        agent_name=ctx.job.agent_name,
        languages=warm.settings.worker.languages,
    )
    call.state = warm.roster.new_state()
    ctx.log_context_fields = {"call_id": call.call_id}
    warm.live = live = LiveCall(call, ctx, Writer(), warm.calls)
    ctx.room.on("disconnected", lambda reason: _on_disconnected(call, reason))
    _record_beginning(live)
    hello = Hello(ctx.job.id, call.call_id, os.getpid())
    await warm.line.open(hello)
    progress = Progress(Patience.of(warm.settings), lambda: attended(ctx.room, call))
    live.pulse = Pulse(warm.line, hello, progress)
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
    agent = conversation.begin()

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
    )
    greeting = Greeting(conversation.greeting(), pipeline)  # is synthesized while the room is being joined
    pipeline.prewarm()
    warm.models.prewarm()
    session = build_session(warm.settings, pipeline, call)
    progress.follow(session)
    Transcript(call, live.save_turn).follow(session)
    languages.follow(session, pipeline)
    Apology(session, give_up=lambda: _finish(ctx, call, ending.PROVIDER_FAILED))
    Manners(session, warm.settings.manners, end=lambda how: _finish(ctx, call, how))
    end_speech_at_first_word(session)
    session.on("close", lambda event: _on_close(ctx, call, event))

    await session.start(agent, room=ctx.room, room_options=room_options())
    has_left = call.was_invited and not ctx.room.remote_participants
    try:
        async with asyncio.timeout(LEFT_ALREADY_S if has_left else NO_CALLER_S):
            participant = await ctx.wait_for_participant()
    except (TimeoutError, RuntimeError):  # the latter: the room was closed meanwhile
        _finish(ctx, call, ending.CALLER_LEFT if has_left else ending.NO_CALLER)
        return
    _meet(live, participant)
    Departure(ctx, call, warm.settings.turns.return_s).watch(participant)
    Keypad(session, ctx.room, length=warm.roster.keypad_digits).watch(participant)
    await greeting.speak(session)
    logger.info("call answered", extra={"action": "answered", "caller_kind": call.caller.kind})


async def hang_up(ctx: JobContext) -> None:
    """Write the ending and empty the room. The SDK awaits this whatever ended the job, short of a kill."""
    warm: Warm = ctx.proc.userdata["warm"]
    if (live := warm.live) is None:
        return
    call = live.call
    # Nobody has said how it ended: the room was closed under the job, or the worker stops.
    call.end(ending.WORKER_STOPPED if ctx.room.isconnected() else ending.CALLER_LEFT)
    assert call.ending is not None
    now = datetime.now(UTC)
    how, final = call.ending.reason, call.ending
    live.writer.submit(lambda: live.calls.job_ended(call.call_id, ctx.job.id, now, how))
    live.writer.submit(lambda: live.calls.end(call.call_id, final, now))
    closing = asyncio.create_task(live.writer.aclose(), name="last writes")
    await asyncio.wait([closing], timeout=RECORD_FIRST_S)
    emptied = ctx.delete_room()  # nobody is kept in a silent room by a store that is away
    await closing
    await live.calls.close()
    if live.pulse is not None:
        await live.pulse.stop()
    await warm.line.aclose()
    await warm.mcp.aclose()
    await warm.roster.close_business(warm.business)
    if late := sorted(set(sys.modules) - live.modules):
        logger.warning(
            "modules were imported during the call", extra={"action": "late_import", "modules": late}
        )
    logger.info("call ended", extra={"action": "ended", "result": final.result, "reason": final.reason})
    await emptied


def _record_beginning(live: LiveCall) -> None:
    call, ctx, calls = live.call, live.ctx, live.calls
    job = job_entry(ctx.job.id, ctx.worker_id, os.getpid(), call.started_at)
    live.writer.submit(lambda: calls.begin(call))
    live.writer.submit(lambda: calls.job_started(call.call_id, job))


def _meet(live: LiveCall, participant: rtc.RemoteParticipant) -> None:
    call, calls = live.call, live.calls
    phone = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    call.caller = caller = Caller("phone" if phone else call.caller.kind, participant.identity)
    live.writer.submit(lambda: calls.set_caller(call.call_id, caller.kind, caller.identity))


def _finish(ctx: JobContext, call: Call, how: Ending) -> None:
    call.end(how)
    ctx.shutdown(reason=how.reason)


def _on_disconnected(call: Call, reason: rtc.DisconnectReason.ValueType) -> None:
    if reason not in CLOSED_ROOM:
        call.end(ending.SERVER_LOST)


def _on_close(ctx: JobContext, call: Call, event: CloseEvent) -> None:
    # Every other reason means little: the SDK itself closes the session of a job that is stopped, and calls
    # that "user initiated". A goodbye, and a caller who left, are noted where they happen.
    if event.reason is CloseReason.ERROR:
        call.end(ending.PROVIDER_FAILED)
    ctx.shutdown(reason=event.reason.value)
