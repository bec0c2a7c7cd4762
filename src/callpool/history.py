"""What a session remembers of its call."""

from __future__ import annotations

from livekit.agents import AgentSession
from livekit.agents.llm import ChatMessage

from callpool.call import Call


def caller_turns(session: AgentSession[Call]) -> int:
    """How often the caller has spoken."""
    return sum(isinstance(item, ChatMessage) and item.role == "user" for item in session.history.items)
