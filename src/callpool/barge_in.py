"""A caller who talks over the agent: the first word of theirs ends what it was saying."""

from __future__ import annotations

from livekit.agents import AgentSession, UserInputTranscribedEvent

from callpool.call import Call


def end_speech_at_first_word(session: AgentSession[Call]) -> None:
    """Take a paused answer for interrupted as soon as speech to text has an interim word.

    The SDK pauses at sound, and interrupts in a task that the final transcript starts. In the same step it
    would start the speculative answer to that transcript, but not while another speech stands: so an answer
    to an interruption began only when the turn was over, 0.2 s late. With the old speech gone by then it
    begins at once.
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
