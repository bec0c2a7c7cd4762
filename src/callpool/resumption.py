"""The first words of a job that takes a call up where another one left it."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection

from livekit.agents import AgentSession
from livekit.agents.llm import ChatContext, ChatMessage

from callpool.call import Call
from callpool.checkpoint import Checkpoint, UnreadableCheckpoint
from callpool.service_phrases import words
from callpool.store.claims import Claim
from callpool.store.record import Turn

logger = logging.getLogger(__name__)

MOST_RESTARTS = 2
"""A call that lost more jobs than this within a minute is given up, with an apology: what ends its jobs would
end the next one, too."""

_QUESTION = re.compile(r"[^.!?…]*\?\s*$")


def restore(call: Call, claim: Claim, stages: Collection[str]) -> tuple[Turn | None, ChatContext | None]:
    """Make the call what an earlier job knew. Gives the last turn and the history; None: it begins.

    `stages`: those of the roster, which may have changed since.
    """
    if claim.checkpoint is None:
        return None, None
    try:
        checkpoint = Checkpoint.read(claim.checkpoint)
        if checkpoint.stage not in stages:
            raise UnreadableCheckpoint(f"no stage is called {checkpoint.stage!r}")
        history = checkpoint.restore(call)
    except UnreadableCheckpoint as error:
        logger.warning("a call begins anew", extra={"action": "checkpoint_unreadable", "error": error})
        return None, None
    logger.info("call resumed", extra={"action": "resumed", "stage": call.stage, "losses": claim.losses})
    return checkpoint.turn, history


class Resumption:
    """One short apology, and then what the caller waits for: an answer, or the question they were asked."""

    def __init__(self, call: Call, history: ChatContext) -> None:
        last = _last_message(history)
        self._owes_answer = last is not None and last.role == "user"
        apology = words("resumed", call.language)
        asked = _QUESTION.search(last.text_content or "") if last is not None else None
        question = asked[0].strip() if asked else ""
        self.words = (
            apology if self._owes_answer else f"{apology} {question or words('go_on', call.language)}"
        )
        """To be spoken first."""

    def go_on(self, session: AgentSession[Call]) -> None:
        """Answer what nobody has answered."""
        if self._owes_answer:
            session.generate_reply()


def _last_message(history: ChatContext) -> ChatMessage | None:
    spoken = [item for item in history.items if isinstance(item, ChatMessage) and item.text_content]
    return spoken[-1] if spoken else None
