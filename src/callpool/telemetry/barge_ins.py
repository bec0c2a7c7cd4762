"""How fast the agent falls silent when a caller interrupts it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    ConversationItemAddedEvent,
    UserStateChangedEvent,
)
from livekit.agents.llm import ChatMessage

from callpool.call import Call

LONGEST_S = 5.0
"""A silence that comes later than this after the voice, seconds, is no answer to it."""


class BargeIns:
    """Tells of each interruption that proved to be one, with the time from voice to silence.

    The agent pauses at a sound and may resume; only when its words are kept as cut short was it interrupted.
    """

    def __init__(self, session: AgentSession[Call], tell: Callable[[datetime, float], None]) -> None:
        """`tell` is given when the caller's voice began, and the seconds until the agent was silent."""
        self._tell = tell
        self._session = session
        self._voice_s: float | None = None
        self._silent_s: float | None = None
        session.on("user_state_changed", self._on_caller)
        session.on("agent_state_changed", self._on_agent)
        session.on("conversation_item_added", self._on_item)

    def _on_caller(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking" and self._session.agent_state == "speaking":
            self._voice_s, self._silent_s = event.created_at, None

    def _on_agent(self, event: AgentStateChangedEvent) -> None:
        if event.new_state == "speaking":  # it goes on after all, or says something else
            self._silent_s = None
        elif event.old_state == "speaking" and self._silent_s is None:
            self._silent_s = event.created_at

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        item = event.item
        if not isinstance(item, ChatMessage) or item.role != "assistant":
            return
        voice_s, silent_s = self._voice_s, self._silent_s
        self._voice_s = self._silent_s = None
        if item.interrupted and voice_s is not None:
            took_s = (silent_s or event.created_at) - voice_s
            if 0 <= took_s <= LONGEST_S:
                self._tell(datetime.fromtimestamp(voice_s, UTC), took_s)
