"""One call, from dispatch to hang-up.

`warm_up` runs when a process is made, `answer` when a job is given to it, `hang_up` when the job is over,
whatever ended it. To follow a call, read `answer` from top to bottom and open the files that it names.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, CloseEvent, CloseReason, JobContext, JobProcess, vad
from livekit.agents.llm import ChatContext

from callpool import ending, service_phrases
from callpool.apology import Apology
from callpool.backchannel import Backchannels
from callpool.barge_in import end_speech_at_first_word
from callpool.burial import job_entry
from callpool.call import Call, Caller, from_dispatch, name_of_visit
from callpool.checkpoint import Checkpoint, Checkpoints, UnreadableCheckpoint
from callpool.checkpoint import warm_up as warm_up_checkpoints
from callpool.clock import Clock
from callpool.departure import Departure
from callpool.dtmf import Keypad
from callpool.ending import RECOVERABLE, Ending
from callpool.errors import StoreError
from callpool.greeting import Greeting
from callpool.hand_off import Conversation, Models
from callpool.identification import Identification
from callpool.isolation import step_behind
from callpool.language import Languages
from callpool.language_models import LanguageModels
from callpool.line import Hello, Leave, Line, Message
from callpool.manners import Manners, take_leave
from callpool.mcp_servers import McpServers
from callpool.pipeline import build_pipeline, build_session, build_vad, room_options
from callpool.profiles import Profiles
from callpool.pulse import Patience, Progress, Pulse, attended
from callpool.resumption import MOST_RESTARTS, Resumption
from callpool.settings import Settings
from callpool.stages import Roster, Stage, load_roster
from callpool.store.calls import Calls
from callpool.store.claims import Claim
from callpool.store.record import Job, StageEntry, Turn
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
        rtc.DisconnectReason.ROOM_DELETED,
        rtc.DisconnectReason.ROOM_CLOSED,
    }
)
"""Why a job leaves a room whose caller is gone. For any other reason it lost the server."""


@dataclass(frozen=True)
class Parent:
    """The worker that made this process."""

    worker: str
    """Its stable name."""
    line: Path
    """Where it is reached."""


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
    parent: Parent
    line: Line
    """To the parent."""
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
    job: Job
    superseded: bool = False
    """Whether another job serves the call: then nothing more is said or written about it here."""
    _checkpoint: Callable[[], str] | None = None
    modules: frozenset[str] = field(default_factory=lambda: frozenset(sys.modules))
    """What was imported when the call began: nothing may be added while somebody waits."""
    pulse: Pulse | None = None

    def save_stage(self, entry: StageEntry) -> None:
        self.writer.submit(lambda: self.calls.stage_entered(self.call.call_id, entry))

    def save_language(self, code: str) -> None:
        self.writer.submit(lambda: self.calls.set_language(self.call.call_id, code))

    def save_turn(self, turn: Turn) -> None:
        self.writer.submit(lambda: self.calls.record_turn(self.call.call_id, turn))

    def save_checkpoint(self, make: Callable[[], str]) -> None:
        """Write the newest checkpoint in its turn; it is made when it is written."""
        if self._checkpoint is None:
            self.writer.submit(self._write_checkpoint)
        self._checkpoint = make

    def supersede(self) -> None:
        """Leave the call to the job that serves it."""
        logger.warning("another job serves this call", extra={"action": "superseded"})
        self.superseded = True
        self.ctx.shutdown(reason="superseded")

    def hear(self, message: Message) -> None:
        """What the worker says."""
        if isinstance(message, Leave) and self.call.ending is None:
            _finish(self.ctx, self.call, ending.WORKER_STOPPED)
            self.lose(ending.WORKER_STOPPED)  # at once: the session takes its time to close

    def lose(self, how: Ending) -> None:
        """Leave the call to another job."""
        logger.warning("call left to another job", extra={"action": "left", "reason": how.reason})
        now = datetime.now(UTC)
        self.writer.submit(lambda: self.calls.lose(self.call.call_id, self.job, how, now))

    async def give_way(self) -> None:
        """Find out whether another job serves the call by now: this one may have been cut off for a while."""
        if not await self.calls.serves(self.call.call_id, self.job.job_id):
            self.supersede()

    async def write_end(self, final: Ending, now: datetime) -> None:
        """End the call, unless another job serves it."""
        if not self.superseded:
            await self.calls.end(self.call.call_id, final, now)

    async def _write_checkpoint(self) -> None:
        make, self._checkpoint = self._checkpoint, None
        if make is None or self.superseded:
            return
        if self.call.ending is not None and self.call.ending not in RECOVERABLE:
            return
        if not await self.calls.save_checkpoint(self.call.call_id, self.ctx.job.id, make()):
            self.supersede()


def warm_up(settings: Settings, parent: Parent, proc: JobProcess) -> None:
    """Load everything that a call needs. Runs in a process of its own, before any caller waits."""
    step_behind(settings.worker.job_nice)
    roster = load_roster(settings.worker.roster)
    profiles = Profiles.read(settings)
    service_phrases.load()
    Backchannels.load()
    warm_up_checkpoints(roster.new_state())
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
        parent=parent,
        line=Line(parent.line),
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
    job = job_entry(ctx.job.id, warm.parent.worker, os.getpid(), call.started_at)
    warm.live = live = LiveCall(call, ctx, Writer(), warm.calls, job)
    ctx.room.on("disconnected", lambda reason: _on_disconnected(call, reason))
    claim = await _claim(live)
    ctx.log_context_fields = {"call_id": call.call_id}
    if claim is None:
        live.supersede()
        return
    hello = Hello(ctx.job.id, call.call_id, os.getpid())
    await warm.line.open(hello)
    warm.line.listen(live.hear)
    progress = Progress(Patience.of(warm.settings), lambda: attended(ctx.room, call))
    live.pulse = Pulse(warm.line, hello, progress)
    turn, history = _restore(call, claim)
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
    )
    resumption = None if history is None else Resumption(call, history)
    # Synthesized while the room is being joined.
    greeting = Greeting(resumption.words if resumption else conversation.greeting(), pipeline)
    pipeline.prewarm()
    warm.models.prewarm()
    session = build_session(warm.settings, pipeline, call)
    if history is not None:
        session.history.items.extend(history.items)
    progress.follow(session)
    transcript = Transcript(call, live.save_turn, turn=turn)
    transcript.follow(session)
    checkpoints = Checkpoints(call, lambda: transcript.turn, live.save_checkpoint)
    checkpoints.follow(session)
    conversation.follow(session)
    languages.follow(session, pipeline)
    Apology(session, give_up=lambda: _finish(ctx, call, ending.PROVIDER_FAILED))
    Manners(session, warm.settings.manners, end=lambda how: _finish(ctx, call, how))
    end_speech_at_first_word(session)
    Clock(session)
    session.on("close", lambda event: _on_close(ctx, call, event))

    await session.start(agent, room=ctx.room, room_options=room_options())
    participant = await _meet(live)
    if participant is None:
        return
    checkpoints.take()
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
    emptied = None
    if not live.superseded:
        # Nobody has said how it ended: the room was closed under the job, or the worker stops.
        call.end(ending.WORKER_STOPPED if ctx.room.isconnected() else ending.CALLER_LEFT)
        emptied = await _write_ending(live)
    await live.writer.aclose()
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
    if emptied is not None:
        await emptied


async def _claim(live: LiveCall) -> Claim | None:
    """See to it that this job alone serves the call. None: another one does.

    A caller is answered also while the store is away, unless the dispatcher has sent for the job: it tries
    again.
    """
    call = live.call
    try:
        claim = await live.calls.claim(call, live.job)
        for name in (live.ctx.job.room.sid, live.job.job_id):
            if claim.outcome == "over":
                # Its token was used once more: another visit, in a room of the same name.
                call.call_id = name_of_visit(name)
                claim = await live.calls.claim(call, live.job)
    except StoreError:
        if call.is_redispatched:
            raise
        logger.exception("a call is answered unclaimed", extra={"action": "unclaimed"})
        live.writer.submit(lambda: _claim_late(live))
        return Claim("taken")
    return claim if claim.outcome == "taken" else None


async def _claim_late(live: LiveCall) -> None:
    if (await live.calls.claim(live.call, live.job)).outcome != "taken":
        live.supersede()


def _restore(call: Call, claim: Claim) -> tuple[Turn | None, ChatContext | None]:
    """Make the call what an earlier job knew. Gives the last turn and the history; None: it begins."""
    if claim.checkpoint is None:
        return None, None
    try:
        checkpoint = Checkpoint.read(claim.checkpoint)
        history = checkpoint.restore(call)
    except UnreadableCheckpoint as error:
        logger.warning("a call begins anew", extra={"action": "checkpoint_unreadable", "error": str(error)})
        return None, None
    logger.info("call resumed", extra={"action": "resumed", "stage": call.stage, "losses": claim.losses})
    return checkpoint.turn, history


async def _give_up(live: LiveCall, warm: Warm) -> None:
    """Job after job was lost in this call: apologize, and run nothing that may end this one as well."""
    call, ctx = live.call, live.ctx
    logger.error("a call keeps losing its jobs", extra={"action": "too_many_restarts"})
    profile = warm.profiles.of_call(call.profile)
    pipeline = build_pipeline(
        warm.settings, warm.models.for_profile(profile), warm.vad, call.language, profile=profile
    )
    async with AgentSession[Call](tts=pipeline.tts, userdata=call) as session:
        await session.start(Agent(instructions=""), room=ctx.room, room_options=room_options())
        if await _meet(live) is not None:
            await take_leave(session, service_phrases.words("farewell", call.language))
    _finish(ctx, call, ending.TOO_MANY_RESTARTS)


async def _meet(live: LiveCall) -> rtc.RemoteParticipant | None:
    """The caller, once they are in the room. None: they have left again, or nobody came."""
    call, ctx = live.call, live.ctx
    has_left = call.was_invited and not ctx.room.remote_participants
    try:
        async with asyncio.timeout(LEFT_ALREADY_S if has_left else NO_CALLER_S):
            participant = await ctx.wait_for_participant()
    except (TimeoutError, RuntimeError):  # the latter: the room was closed meanwhile
        _finish(ctx, call, ending.CALLER_LEFT if has_left else ending.NO_CALLER)
        return None
    phone = participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    call.caller = caller = Caller("phone" if phone else call.caller.kind, participant.identity)
    live.writer.submit(lambda: live.calls.set_caller(call.call_id, caller.kind, caller.identity))
    return participant


async def _write_ending(live: LiveCall) -> asyncio.Future[object] | None:
    """Write how the call ended, and empty the room, or leave it to the next job."""
    call, ctx, calls = live.call, live.ctx, live.calls
    assert call.ending is not None
    now = datetime.now(UTC)
    final = call.ending
    if final in RECOVERABLE:
        live.lose(final)
        return None
    live.writer.submit(lambda: calls.job_ended(call.call_id, ctx.job.id, now, final.reason))
    live.writer.submit(live.give_way)
    live.writer.submit(lambda: live.write_end(final, now))
    await live.writer.settle(RECORD_FIRST_S)
    if live.superseded:
        return None
    logger.info("call ended", extra={"action": "ended", "result": final.result, "reason": final.reason})
    return ctx.delete_room()  # nobody is kept in a silent room by a store that is away


def _finish(ctx: JobContext, call: Call, how: Ending) -> None:
    call.end(how)
    ctx.shutdown(reason=how.reason)


def _on_disconnected(call: Call, reason: rtc.DisconnectReason.ValueType) -> None:
    if reason == rtc.DisconnectReason.PARTICIPANT_REMOVED:
        call.end(ending.AGENT_REMOVED)  # by the dispatcher, which took this job for dead
    elif reason not in CLOSED_ROOM:
        call.end(ending.SERVER_LOST)


def _on_close(ctx: JobContext, call: Call, event: CloseEvent) -> None:
    # Every other reason means little: the SDK itself closes the session of a job that is stopped, and calls
    # that "user initiated". A goodbye, and a caller who left, are noted where they happen.
    if event.reason is CloseReason.ERROR:
        call.end(ending.PROVIDER_FAILED)
    ctx.shutdown(reason=event.reason.value)
