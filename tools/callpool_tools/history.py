"""What was said in a call so far, as far as tools need it."""

from __future__ import annotations

from livekit.agents import AgentSession, RunContext
from livekit.agents.llm import ChatItem, ChatMessage, FunctionCallOutput

from callpool.call import Call


def caller_words(ctx: RunContext[Call], after_turn: int = 0) -> list[str]:
    """What the caller said, a text for each time they spoke, without the first `after_turn` of them."""
    return words_in(ctx.session, after_turn)


def words_in(session: AgentSession[Call], after_turn: int = 0) -> list[str]:
    """The same of a session."""
    said = [item for item in session.history.items if isinstance(item, ChatMessage) and item.role == "user"]
    return [item.text_content or "" for item in said[after_turn:]]


def was_answered(ctx: RunContext[Call], tool: str, turn: int) -> bool:
    """Whether the agent spoke after it called `tool` in a turn, and the caller after that."""
    left = turn
    agent_spoke = False
    for item in ctx.session.history.items:
        if left > 0:
            left -= _is_by(item, "user")
        elif isinstance(item, FunctionCallOutput) and item.name == tool:
            agent_spoke = False
        elif _is_by(item, "assistant"):
            agent_spoke = True
        elif agent_spoke and _is_by(item, "user"):
            return True
    return False


def was_told(ctx: RunContext[Call], tool: str, result: str) -> bool:
    """Whether the model has had this result from a tool already."""
    outputs = (item for item in ctx.session.history.items if isinstance(item, FunctionCallOutput))
    return any((item.name, item.output) == (tool, result) for item in outputs)


def _is_by(item: ChatItem, role: str) -> bool:
    return isinstance(item, ChatMessage) and item.role == role
