"""A caller who talks over the agent: the first words of theirs end what it was saying."""

from __future__ import annotations

from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    UserInputTranscribedEvent,
    UserStateChangedEvent,
)
from livekit.agents.voice import SpeechHandle

from callpool.call import Call


class Overlap:
    """Knows whether what the caller says now is said over the agent's speaking or thinking.

    That is settled when their voice begins: who began before the agent did answers what came before.
    """

    def __init__(self, session: AgentSession[Call]) -> None:
        self._session = session
        self._audible: SpeechHandle | None = None
        self._began_over = False
        session.on("user_state_changed", self._on_caller)
        session.on("agent_state_changed", self._on_agent)

    def close(self) -> None:
        """Follow the session no more."""
        self._session.off("user_state_changed", self._on_caller)
        self._session.off("agent_state_changed", self._on_agent)

    @property
    def began_over(self) -> bool:
        """Whether the caller's voice last began while the agent spoke or thought."""
        return self._began_over

    @property
    def over_agent(self) -> bool:
        """Whether it did, and the agent has not done with it yet."""
        return self._began_over and (self._session.agent_state in ("speaking", "thinking") or self.paused)

    @property
    def paused(self) -> bool:
        """Whether the agent waits in mid-sentence for what the caller's sound will prove to be."""
        speech = self._session.current_speech
        return (
            speech is not None
            and speech is self._audible
            and self._session.agent_state == "listening"
            and not speech.interrupted
            and not speech.done()
        )

    def _on_caller(self, event: UserStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._began_over = self._session.agent_state in ("speaking", "thinking") or self.paused

    def _on_agent(self, event: AgentStateChangedEvent) -> None:
        if event.new_state == "speaking":
            self._audible = self._session.current_speech
            # From now on, words without a voice that was noticed are said over the agent.
            self._began_over = self._began_over or self._session.user_state != "speaking"


def end_speech_at_first_word(session: AgentSession[Call]) -> None:
    """Take a paused answer for interrupted as soon as speech to text has interim words.

    The SDK pauses at sound, and interrupts in a task that the final transcript starts. In the same step it
    would start the speculative answer to that transcript, but not while another speech stands: so an answer
    to an interruption began only when the turn was over, 0.2 s late. With the old speech gone by then it
    begins at once. Words that may yet prove to be a listener's never come here: see `backchannel`.
    """

    def on_transcribed(event: UserInputTranscribedEvent) -> None:
        # The final transcript is left to the SDK, which waits for the old speech's end before it lets sound
        # through again; interrupted a moment before, 15 ms of it would slip out.
        if event.is_final or not event.transcript.strip():
            return
        speech = session.current_speech
        talked_over = session.user_state == "speaking" and session.agent_state != "speaking"
        if speech is not None and talked_over and speech.allow_interruptions:
            speech.interrupt(source="user_turn")

    session.on("user_input_transcribed", on_transcribed)
