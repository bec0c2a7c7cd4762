"""One call, from dispatch to hang-up.

`warm_up` runs when a process is made, `answer` when a job is given to it, `hang_up` when the job is over,
whatever ended it. To follow a call, read `answer` from top to bottom and open the files that it names.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from livekit import rtc
from livekit.agents import AgentSession, APIError, CloseEvent, CloseReason, JobContext, JobProcess, vad
from livekit.plugins import openai

from callpool import ending
from callpool.apology import Apology
from callpool.barge_in import end_speech_at_first_word
from callpool.burial import job_entry
from callpool.call import Call, Caller, from_dispatch
from callpool.departure import Departure
from callpool.ending import Ending
from callpool.pipeline import (
    ATTEMPT,
    Pipeline,
    build_llm,
    build_pipeline,
    build_session,
    build_vad,
    room_options,
)
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
SECOND_TRY_S = 1.5
"""Pause before a greeting that failed is tried anew, seconds: a voice that restarts is back by then."""


@dataclass
class Warm:
    """What a process holds before it is given a call, and the call once it has one."""

    settings: Settings
    roster: Roster[Any, Any]
    business: Any
    llm: openai.LLM
    vad: vad.VAD
    calls: Calls
    live: LiveCall | None = None


@dataclass
class LiveCall:
    """A call in progress in this process."""

    call: Call
    ctx: JobContext
    writer: Writer
    calls: Calls
    modules: frozenset[str] = field(default_factory=lambda: frozenset(sys.modules))
    """What was imported when the call began: nothing may be added while somebody waits."""

    def save_turn(self, turn: Turn) -> None:
        self.writer.submit(lambda: self.calls.record_turn(self.call.call_id, turn))


def warm_up(settings: Settings, proc: JobProcess) -> None:
    """Load everything that a call needs. Runs in a process of its own, before any caller waits."""
    roster = load_roster(settings.worker.roster)
    proc.userdata["warm"] = Warm(
        settings=settings,
        roster=roster,
        business=roster.open_business(),
        llm=build_llm(settings),
        vad=build_vad(),
        calls=Calls(settings.store_url, plain_texts=settings.store.plain_texts),
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
        ctx.job.metadata, job_id=ctx.job.id, room=ctx.job.room.name, agent_name=ctx.job.agent_name
    )
    stage: Stage[Any, Any] = warm.roster.first_stage(call.agent_name)
    call.stage = stage.name
    ctx.log_context_fields = {"call_id": call.call_id}
    warm.live = live = LiveCall(call, ctx, Writer(), warm.calls)
    ctx.room.on("disconnected", lambda reason: _on_disconnected(call, reason))
    _record_beginning(live)

    pipeline = build_pipeline(warm.settings, warm.llm, warm.vad, call.language)
    greeting = Greeting(stage.greeting(call), pipeline)  # is synthesized while the room is being joined
    pipeline.prewarm()
    session = build_session(warm.settings, pipeline, call)
    Transcript(call, live.save_turn).follow(session)
    Apology(session, give_up=lambda: _finish(ctx, call, ending.PROVIDER_FAILED))
    end_speech_at_first_word(session)
    session.on("close", lambda event: _on_close(ctx, call, event))

    await session.start(stage.agent(call, warm.business), room=ctx.room, room_options=room_options())
    has_left = call.was_invited and not ctx.room.remote_participants
    try:
        async with asyncio.timeout(LEFT_ALREADY_S if has_left else NO_CALLER_S):
            participant = await ctx.wait_for_participant()
    except (TimeoutError, RuntimeError):  # the latter: the room was closed meanwhile
        _finish(ctx, call, ending.CALLER_LEFT if has_left else ending.NO_CALLER)
        return
    _meet(live, participant)
    Departure(ctx, call, warm.settings.turns.return_s).watch(participant)
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
    if late := sorted(set(sys.modules) - live.modules):
        logger.warning(
            "modules were imported during the call", extra={"action": "late_import", "modules": late}
        )
    logger.info("call ended", extra={"action": "ended", "result": final.result, "reason": final.reason})
    await emptied


class Greeting:
    """The first words of a call, synthesized while the room is still being joined."""

    def __init__(self, text: str, pipeline: Pipeline) -> None:
        self._text = text
        self._frames: asyncio.Queue[rtc.AudioFrame | None] = asyncio.Queue()
        self._audible: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._synthesize(pipeline), name="greeting")

    async def speak(self, session: AgentSession[Call]) -> None:
        """Say it now. When the early synthesis gave no sound, the session tries anew."""
        if await self._audible:
            session.say(self._text, audio=self._audio())
        else:
            await asyncio.sleep(SECOND_TRY_S)
            session.say(self._text)

    async def _synthesize(self, pipeline: Pipeline) -> None:
        try:
            async with pipeline.tts.synthesize(self._text, conn_options=ATTEMPT) as stream:
                async for audio in stream:
                    self._frames.put_nowait(audio.frame)
                    if not self._audible.done():
                        self._audible.set_result(True)
        except APIError as error:
            logger.warning("greeting failed", extra={"action": "greeting_failed", "error": str(error)})
        finally:
            self._frames.put_nowait(None)
            if not self._audible.done():
                self._audible.set_result(False)

    async def _audio(self) -> AsyncIterator[rtc.AudioFrame]:
        while (frame := await self._frames.get()) is not None:
            yield frame


def _record_beginning(live: LiveCall) -> None:
    call, ctx, calls = live.call, live.ctx, live.calls
    job = job_entry(ctx.job.id, ctx.worker_id, os.getpid(), call.started_at)
    stage = StageEntry(stage=call.stage, entered_at=call.started_at, profile=call.profile)
    live.writer.submit(lambda: calls.begin(call))
    live.writer.submit(lambda: calls.job_started(call.call_id, job))
    live.writer.submit(lambda: calls.stage_entered(call.call_id, stage))


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
