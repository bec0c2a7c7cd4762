"""A fake of the SDK's session: as much of it as fails, speaks and falls silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

from livekit import rtc
from livekit.agents import (
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    UserStateChangedEvent,
)
from livekit.agents.llm import ChatContext, ChatMessage

from callpool.call import Call


class FakeSpeech:
    """A speech that is over as soon as it began, unless it is told to last."""

    def __init__(self, *, lasts: bool = False) -> None:
        self.interrupted = False
        self.allow_interruptions = True
        self._callbacks: list[Callable[[Any], None]] = []
        self._done = asyncio.Event()
        if not lasts:
            self._done.set()

    def done(self) -> bool:
        return self._done.is_set()

    def end(self) -> None:
        self._done.set()
        for callback in self._callbacks:
            callback(self)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        if self.done():
            callback(self)
        else:
            self._callbacks.append(callback)

    async def wait_for_playout(self) -> None:
        await self._done.wait()

    def __await__(self) -> Generator[Any, None, None]:
        return self.wait_for_playout().__await__()


class FakeOutput:
    """An audio output that counts how often it was told to go on."""

    def __init__(self) -> None:
        self.resumed = 0

    def resume(self) -> None:
        self.resumed += 1


class FakeSession(rtc.EventEmitter[str]):
    """Emits the SDK's events when a test changes its state, and keeps what it was told to say."""

    def __init__(self, language: str = "en") -> None:
        super().__init__()
        self.userdata = Call("c", "call-c", "callpool", language=language)
        self.agent_state = "listening"
        self.user_state = "listening"
        self.current_speech: FakeSpeech | None = None
        self.history = ChatContext.empty()
        self.output = SimpleNamespace(audio=FakeOutput())
        self.said: list[str] = []
        self.interruptible: list[bool] = []
        self.away_timer_resets = 0
        self.interrupted = 0
        self.listens = True
        self.input = SimpleNamespace(set_audio_enabled=self._listen)
        self.next_speech: Callable[[], FakeSpeech] = FakeSpeech
        self.cut_off_after: int | None = None
        """How many characters of what is said are spoken, when the caller talks over it."""

    def say(self, words: str, allow_interruptions: bool = True, audio: object = None) -> FakeSpeech:
        self.said.append(words)
        self.interruptible.append(allow_interruptions)
        self.add("assistant", words[: self.cut_off_after])
        return self.next_speech()

    def interrupt(self, *, force: bool = False) -> FakeSpeech:
        """Nothing is spoken that could be interrupted; gives what can be awaited."""
        self.interrupted += 1
        return FakeSpeech()

    def _listen(self, listens: bool) -> None:
        self.listens = listens

    def reset_away_timer(self) -> None:
        self.away_timer_resets += 1
        if self.user_state == "away":
            self.caller("listening")

    def add(self, role: Any, words: str, *, interrupted: bool = False, **metrics: float) -> None:
        item = self.history.add_message(
            role=role,
            content=words,
            interrupted=interrupted,
            metrics=metrics,  # type: ignore[arg-type]
        )
        assert isinstance(item, ChatMessage)
        self.emit("conversation_item_added", ConversationItemAddedEvent(item=item))

    def agent(self, state: Any, speech: FakeSpeech | None = None, *, at_s: float | None = None) -> None:
        """The agent speaks, thinks or listens; `speech` stands from now on."""
        old, self.agent_state, self.current_speech = self.agent_state, state, speech
        event = AgentStateChangedEvent(old_state=old, new_state=state)
        self.emit("agent_state_changed", _at(event, at_s))

    def caller(self, state: Any, *, at_s: float | None = None) -> None:
        """The caller speaks, listens or is away."""
        old, self.user_state = self.user_state, state
        event = UserStateChangedEvent(old_state=old, new_state=state)
        self.emit("user_state_changed", _at(event, at_s))


def _at(event: Any, at_s: float | None) -> Any:
    return event if at_s is None else event.model_copy(update={"created_at": at_s})
