"""What a caller hears when the language model fails: words instead of silence."""

from __future__ import annotations

import logging

from livekit.agents import AgentSession, ErrorEvent
from livekit.agents.llm import LLMError

from callpool.call import Call

logger = logging.getLogger(__name__)

APOLOGY = "I am sorry, something went wrong on our side. Could you say that again?"


def apologize_for_errors(session: AgentSession[Call]) -> None:
    """Say so when an answer could not be had.

    The session itself goes on in silence, and closes only after three failures in a row.
    """

    def on_error(event: ErrorEvent) -> None:
        if isinstance(event.error, LLMError) and not event.error.recoverable:
            logger.warning("apologized for the language model", extra={"action": "apology"})
            session.say(APOLOGY)

    session.on("error", on_error)
