"""`callpool call`: one call from the web API to the hang-up, told as it happens."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import click

from callpool import __version__
from callpool.caller.call import Answer, SyntheticCaller
from callpool.caller.sound import Samples, read_wav, to_wav
from callpool.caller.speech import Speech, SpeechError, why
from callpool.caller.timeline import Entry, Timeline
from callpool.errors import CallpoolError, SettingError
from callpool.running import Running, with_local_providers
from callpool.settings import Settings

JOIN_PATIENCE_S = 10.0
HEARING_S = 4.0
"""How long the caller takes in what it heard before it goes on; then the words follow later."""
LINGER_S = 3.0
"""How long the caller stays after the last answer: an agent that has said goodbye hangs up by itself."""
API_TIMEOUT = aiohttp.ClientTimeout(total=10)


class NoWebApi(CallpoolError):
    """The web API did not give out a call."""


@dataclass(frozen=True)
class Invitation:
    """What the web API gives to a caller."""

    call_id: str
    room: str
    livekit_url: str
    token: str


@dataclass(frozen=True)
class Line:
    """One thing to say."""

    text: str
    samples: Samples


async def run(
    settings: Settings,
    *,
    say: Sequence[str],
    wav: Sequence[Path],
    url: str | None,
    language: str | None,
    save: Path | None,
    as_json: bool,
    patience_s: float = JOIN_PATIENCE_S,
) -> int:
    """Make one call and print its timeline.

    Gives 1 when nobody answered within `patience_s` of joining, or a sentence got no answer later on.

    Raises CallpoolError for what keeps the call from being made.
    """
    recordings = [Line(f"({path.name})", read_wav(path)) for path in wav]
    if save is not None and not save.parent.is_dir():
        raise SettingError("--save", str(save), "a file in a folder that exists")
    if blank := [text for text in say if not text.strip()]:
        raise SettingError("SAY", blank[0], "words to speak")
    running = Running.find(settings.local.data_dir)
    settings = with_local_providers(settings, _providers(settings, running))
    web = url or (running.web if running else "") or f"http://{settings.web.host}:{settings.web.port}"
    show: Callable[[str], None] = (lambda text: None) if as_json else click.echo
    async with aiohttp.ClientSession(headers={"User-Agent": f"callpool-call/{__version__}"}) as http:
        await reach(http, web)
        speech = Speech(http, settings.deepgram, settings.cartesia, language or "en")
        lines = [Line(text, await speech.synthesize(text)) for text in say] + recordings
        invitation = await invite(http, web, language)
        call = Conversation(SyntheticCaller(), speech, invitation, patience_s, show)
        timeline = await call.hold(lines)
    if save is not None:
        await asyncio.to_thread(save.write_bytes, call.recording())
    click.echo(
        json.dumps(timeline.document(), indent=2, ensure_ascii=False) if as_json else timeline.summary()
    )
    if not timeline.answered:
        click.echo(
            f"callpool: nobody answered within {patience_s:g} s of joining {invitation.room}", err=True
        )
    return 0 if timeline.answered and not timeline.unanswered else 1


def _providers(settings: Settings, running: Running | None) -> str:
    return (running.providers if running else "") or f"http://127.0.0.1:{settings.local.providers_port}"


async def invite(http: aiohttp.ClientSession, web: str, language: str | None) -> Invitation:
    """Ask the web API for a call, as the page does. Raises NoWebApi."""
    address = f"{web.rstrip('/')}/api/calls"
    body = {"language": language} if language else {}
    try:
        async with http.post(
            address, json=body, headers={"X-Callpool-Caller": "synthetic"}, timeout=API_TIMEOUT
        ) as answer:
            text = await answer.text()
            if answer.status != 201:
                raise NoWebApi(f"{address} answered {answer.status}: {' '.join(text[:200].split())}")
            given = json.loads(text)
            return Invitation(*(str(given[name]) for name in ("call_id", "room", "livekit_url", "token")))
    except (aiohttp.ClientError, TimeoutError) as error:
        raise unreachable(web, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise NoWebApi(f"{address} answered with something that is no call: is it callpool's?") from error


async def reach(http: aiohttp.ClientSession, web: str) -> None:
    """Make sure that there is somebody to ask, before long work is done for it. Raises NoWebApi."""
    try:
        async with http.get(f"{web.rstrip('/')}/healthz", timeout=API_TIMEOUT):
            pass
    except (aiohttp.ClientError, TimeoutError) as error:
        raise unreachable(web, error) from error


def unreachable(web: str, error: aiohttp.ClientError | TimeoutError) -> NoWebApi:
    return NoWebApi(
        f"the web API at {web} cannot be reached ({why(error)}): run `make up` first, or give --url"
    )


class Conversation:
    """A polite caller: listens to the greeting, says its lines one by one, hangs up at the end."""

    def __init__(
        self,
        caller: SyntheticCaller,
        speech: Speech,
        invitation: Invitation,
        patience_s: float,
        show: Callable[[str], None],
    ) -> None:
        self.caller = caller
        self._speech = speech
        self._invitation = invitation
        self._patience_s = patience_s
        self._show = show
        self._timeline = Timeline(invitation.call_id, invitation.room)
        self._late: dict[int, asyncio.Task[str | None]] = {}
        self._deaf = False
        self._heard_until = 0.0

    async def hold(self, lines: Sequence[Line]) -> Timeline:
        """Hold the call and leave the room, also when cancelled. Raises JoinError."""
        caller = self.caller
        try:
            await caller.join(self._invitation.livekit_url, self._invitation.token)
            self._note(f"joined {self._invitation.room}")
            greeting = await caller.wait_for_agent(caller.joined_at, self._patience_s)
            if greeting is not None:
                self._timeline.answered = True
                self._timeline.first_audio_ms = round((greeting.started_at - caller.joined_at) * 1000)
                await self._hear(greeting, None)
                for line in lines:
                    await self._turn(line)
                await self._linger()
            if caller.hung_up:
                self._timeline.agent_hung_up = caller.reason in ("room_deleted", "participant_removed")
                self._note(f"the call was ended by the other side ({caller.reason})")
        finally:
            await caller.leave()
        self._timeline.duration_s = round((caller.left_at or caller.joined_at) - caller.joined_at, 3)
        for place, hearing in self._late.items():
            self._timeline.entries[place] = replace(self._timeline.entries[place], text=await hearing)
            self._show(self._timeline.entries[place].line())
        return self._timeline

    def recording(self) -> bytes:
        """The call as a stereo WAV file: the caller on the left, the agent on the right."""
        start, end = self.caller.joined_at, self.caller.left_at or time.monotonic()
        return to_wav(self.caller.sent.between(start, end), self.caller.heard.between(start, end))

    async def _turn(self, line: Line) -> None:
        caller = self.caller
        # The agent may have gone on while the caller was taking in what it said.
        while await self._hear_more(0.0):
            pass
        if not caller.connected:
            return
        spoken = await caller.speak(line.samples)
        self._tell(
            Entry(
                self._since_joined(spoken.started_at),
                "caller",
                line.text,
                self._since_joined(spoken.ended_at),
            )
        )
        answer = await caller.wait_for_agent(spoken.started_at)
        if answer is not None:
            await self._hear(answer, round((answer.started_at - spoken.ended_at) * 1000))
        elif caller.connected:
            self._timeline.unanswered += 1
            self._note("no answer")

    async def _linger(self) -> None:
        """Stay a moment, for what the agent may add and for its hang-up."""
        while await self._hear_more(LINGER_S):
            pass

    async def _hear_more(self, patience_s: float) -> bool:
        """Hear what the agent says without being asked. False when it says nothing within `patience_s`."""
        more = await self.caller.wait_for_agent(self._heard_until, patience_s)
        if more is not None:
            await self._hear(more, None)
        return more is not None

    async def _hear(self, answer: Answer, gap_ms: int | None) -> None:
        """Transcribe an answer and tell it, before the caller goes on.

        Not meanwhile: local providers would share the processor with what the agent has to hear.
        """
        self._heard_until = answer.ended_at
        sound = self.caller.heard.between(answer.started_at - 0.1, answer.ended_at + 0.1)
        hearing = asyncio.create_task(self._transcribe(sound), name="callpool caller: transcription")
        done, _ = await asyncio.wait([hearing], timeout=HEARING_S)
        entry = Entry(
            self._since_joined(answer.started_at),
            "agent",
            hearing.result() if done else None,
            self._since_joined(answer.ended_at),
            gap_ms,
        )
        if not done:
            self._late[len(self._timeline.entries)] = hearing
        self._tell(entry)

    async def _transcribe(self, sound: Samples) -> str | None:
        if self._deaf:
            return None
        try:
            return await self._speech.transcribe(sound)
        except SpeechError as error:
            self._deaf = True
            click.echo(f"callpool: what is heard stays without words: {error}", err=True)
            return None

    def _note(self, text: str) -> None:
        self._tell(Entry(self._since_joined(time.monotonic()), "note", text))

    def _tell(self, entry: Entry) -> None:
        self._timeline.entries.append(entry)
        self._show(entry.line())

    def _since_joined(self, at: float) -> float:
        return round(at - self.caller.joined_at, 3)
