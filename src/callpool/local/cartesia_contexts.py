"""One WebSocket of the Cartesia protocol: contexts that speak side by side, each sentence by sentence."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import json
import logging
import time
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from callpool.local.behaviour import SLOW_S, Behaviour, FaultKind
from callpool.local.breaking import abort
from callpool.local.cartesia_wire import FAULTS, GARBAGE, Generation, Refusal, json_object, version_of
from callpool.local.clauses import Clauses
from callpool.local.speaking import Samples, Speech, Voice

logger = logging.getLogger(__name__)

CHUNK_S = 0.1
"""Audio in one message, seconds."""
LEAST_DELAY_S = 0.15
"""How long a piece without an end waits for the next one, whatever delay is asked for, seconds. Piper
intonates each piece alone: spoken apart, "What is your order" and "number?" sound like two sentences."""


@dataclass(frozen=True)
class Flush:
    """In the queue of a context: everything before it belongs to one flush id."""


@dataclass(frozen=True)
class End:
    """In the queue of a context: no more text follows."""


class Context:
    """One utterance of a connection: text goes in piece by piece, sentences come out in order."""

    def __init__(self, opening: Generation, connection: Connection, fault: FaultKind | None) -> None:
        self.id = opening.context_id
        self._opening = opening
        self._connection = connection
        self._fault = fault
        self._clauses = Clauses()
        self._queue: asyncio.Queue[str | Flush | End] = asyncio.Queue()
        self._overdue: asyncio.TimerHandle | None = None
        self._not_before_s: float | None = None
        self._spoken_s = 0.0
        self._complete = False
        self._flush_id = 1
        self.task = asyncio.create_task(self._run(), name=f"cartesia-context-{self.id}")

    def push(self, piece: Generation) -> None:
        """Add text. Raises Refusal (400) after the last piece."""
        if self._complete:
            raise Refusal(400, "Invalid context", f"The context {self.id} has had its last input already.")
        self._complete = not piece.more_follows
        loop = asyncio.get_running_loop()
        if self._not_before_s is None and piece.transcript.strip():
            self._not_before_s = loop.time() + first_audio_after_s(self._connection.behaviour, self._fault)
        ready = self._clauses.push(piece.transcript)
        fixed = self._connection.behaviour.latency is not None
        if fixed or piece.flush or not piece.more_follows:
            ready += self._clauses.rest()
        for text in ready:
            self._queue.put_nowait(text)
        if piece.flush:
            self._queue.put_nowait(Flush())
        if not piece.more_follows:
            self._queue.put_nowait(End())
        self._stop_waiting()
        if self._clauses.waiting:
            delay_s = max(piece.buffer_delay_s, LEAST_DELAY_S)
            self._overdue = loop.call_later(delay_s, self._give_up_waiting)

    def cancel(self) -> None:
        """Speak nothing more, not even the rest of a sentence."""
        self._stop_waiting()
        self.task.cancel()

    def _stop_waiting(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _give_up_waiting(self) -> None:
        for text in self._clauses.rest():
            self._queue.put_nowait(text)

    async def _run(self) -> None:
        while True:
            match await self._queue.get():
                case str(text):
                    await self._speak(text)
                case Flush():
                    await self._send(type="flush_done", done=False, flush_done=True, flush_id=self._flush_id)
                    self._flush_id += 1
                case End():
                    # Its client may use the id again as soon as it has read this.
                    self._connection.forget(self)
                    await self._send(type="done", done=True)
                    return

    async def _speak(self, text: str) -> None:
        started_s = time.perf_counter()
        speech = await self._connection.voice.say(text, self._opening.sample_rate_hz)
        step_ms = (time.perf_counter() - started_s) * 1000
        if self._fault == "hang":
            await asyncio.Event().wait()
        await sleep_until(self._not_before_s)
        if self._fault == "garbage":
            await self._connection.ws.send_str(GARBAGE)
            return
        if self._opening.timestamps and speech.words:
            await self._send(type="timestamps", done=False, word_timestamps=self._times(speech))
        for data in _chunks(speech.samples, self._opening.sample_rate_hz):
            await self._send(
                type="chunk",
                data=base64.b64encode(data).decode(),
                done=False,
                step_time=round(step_ms, 3),
                flush_id=self._flush_id,
            )
            if self._fault == "drop":
                self._connection.abort()
                return
        self._spoken_s += speech.duration_s

    def _times(self, speech: Speech) -> dict[str, object]:
        return {
            "words": [word.text for word in speech.words],
            "start": [round(self._spoken_s + word.start_s, 3) for word in speech.words],
            "end": [round(self._spoken_s + word.end_s, 3) for word in speech.words],
        }

    async def _send(self, **event: object) -> None:
        await self._connection.send(event | {"status_code": 206, "context_id": self.id})


class Connection:
    """One WebSocket: hands messages to their contexts, which speak side by side."""

    def __init__(
        self,
        request: web.Request,
        ws: web.WebSocketResponse,
        voice: Voice,
        behaviour: Behaviour,
        first_fault: FaultKind | None,
    ) -> None:
        self.ws = ws
        self.voice = voice
        self.behaviour = behaviour
        self._request = request
        self._version = version_of(request)
        self._contexts: dict[str, Context] = {}
        self._decided = [first_fault]

    async def serve(self) -> None:
        """Until the client closes: nothing is spoken for a client that has gone."""
        try:
            async for message in self.ws:
                if message.type is WSMsgType.TEXT:
                    await self._receive(message.data)
        finally:
            for context in list(self._contexts.values()):
                context.cancel()

    def abort(self) -> None:
        abort(self._request)

    def forget(self, context: Context) -> None:
        if self._contexts.get(context.id) is context:
            del self._contexts[context.id]

    async def send(self, event: dict[str, object]) -> None:
        # A client that has gone ends `serve`, which cancels all contexts.
        with contextlib.suppress(ConnectionError):
            await self.ws.send_str(json.dumps(event))

    async def _receive(self, text: str) -> None:
        context_id: str | None = None
        try:
            body = json_object(text)
            context_id = str(body["context_id"]) if body.get("context_id") else None
            if body.get("cancel") is True:
                await self._cancel(context_id)
            else:
                self._generate(Generation.parse(body, ("raw",)))
        except Refusal as refusal:
            await self.send(refusal.event(self._version, context_id))

    def _generate(self, piece: Generation) -> None:
        context = self._contexts.get(piece.context_id)
        if context is None:
            fault = self._decided.pop() if self._decided else self.behaviour.fault("cartesia")
            if fault in FAULTS:
                raise Refusal(*FAULTS[fault])
            context = self._contexts[piece.context_id] = Context(piece, self, fault)
            context.task.add_done_callback(functools.partial(self._ended, context))
        context.push(piece)

    async def _cancel(self, context_id: str | None) -> None:
        if context_id is None:
            raise Refusal(400, "Invalid request", "cancel needs a context_id.")
        # Unknown: it has just ended by itself, which its client cannot know yet.
        if context := self._contexts.pop(context_id, None):
            context.cancel()
            await self.send({"type": "done", "done": True, "status_code": 206, "context_id": context_id})

    def _ended(self, context: Context, task: asyncio.Task[None]) -> None:
        self.forget(context)
        if not task.cancelled() and (error := task.exception()):
            fields = {"action": "cartesia.speech", "context_id": context.id}
            logger.error("speech failed", exc_info=error, extra=fields)
            self.abort()


def first_audio_after_s(behaviour: Behaviour, fault: FaultKind | None) -> float:
    """How long after its text the first audio has to wait, seconds."""
    fixed_s = behaviour.latency.ttfb if behaviour.latency else 0.0
    return fixed_s + (SLOW_S if fault == "slow" else 0.0)


async def sleep_until(loop_time_s: float | None) -> None:
    if loop_time_s is not None:
        await asyncio.sleep(max(loop_time_s - asyncio.get_running_loop().time(), 0))


def _chunks(samples: Samples, rate_hz: int) -> list[bytes]:
    size = max(round(CHUNK_S * rate_hz), 1)
    return [samples[at : at + size].astype("<i2").tobytes() for at in range(0, len(samples), size)]
