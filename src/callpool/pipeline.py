"""Speech to text, language model, text to speech: the parts of a call's pipeline and its turn-taking.

Every number here was chosen by measurement; docs/benchmarks.md says which, and against what.
"""

from __future__ import annotations

from dataclasses import dataclass

from livekit.agents import AgentSession, TurnHandlingOptions, inference, room_io, vad
from livekit.agents.types import APIConnectOptions
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.plugins import cartesia, deepgram, openai

from callpool.call import Call
from callpool.first_words import FirstWordsTokenizer
from callpool.settings import Settings

VAD_MIN_SILENCE_S = 0.25
"""The end-of-turn model wants at least this much silence before it is asked."""

INPUT_FRAME_MS = 20
"""The caller's audio reaches VAD and speech to text in frames of this length. The SDK's default of 50 ms adds
its half to every turn and to every interruption."""

ATTEMPT = APIConnectOptions(max_retry=1, retry_interval=0.2, timeout=5.0)
"""Two tries at a provider, seconds. The SDK's defaults, four tries of 10 s, outlast a caller's patience."""
LISTENING = APIConnectOptions(max_retry=4, retry_interval=1.0, timeout=5.0)
"""Speech to text is connected for the whole call, and a server of it that restarts is back in seconds."""

TRANSCRIPT_S = 6.0
"""How long the first words of what a caller said may take before speech to text counts as deaf, seconds."""


@dataclass(frozen=True)
class Pipeline:
    """The providers of one call."""

    stt: deepgram.STT
    llm: openai.LLM
    tts: cartesia.TTS
    vad: vad.VAD

    def prewarm(self) -> None:
        """Open the connections that the first turn would otherwise wait for. Needs a running loop.

        Speech to text connects by itself when the session starts.
        """
        self.llm.prewarm()
        self.tts.prewarm()


def build_vad() -> vad.VAD:
    """Silero, with a silence short enough to end a turn early."""
    return inference.VAD(model="silero", min_silence_duration=VAD_MIN_SILENCE_S)


def build_llm(settings: Settings) -> openai.LLM:
    """The language model's client. It loads certificates (0.1 s), so processes make it while they warm up."""
    return openai.LLM(
        api_key=settings.openai.key,
        base_url=settings.openai.base_url,
        model=settings.openai.model,
    )


def build_pipeline(settings: Settings, model: openai.LLM, voice_activity: vad.VAD, language: str) -> Pipeline:
    """The real plugins on the configured base URLs. They never learn whether a provider is local."""
    return Pipeline(
        stt=deepgram.STT(
            api_key=settings.deepgram.key,
            base_url=f"{settings.deepgram.base_url.rstrip('/')}/v1/listen",
            model=settings.deepgram.model,
            language=language,
        ),
        llm=model,
        tts=cartesia.TTS(
            api_key=settings.cartesia.key,
            base_url=settings.cartesia.base_url.rstrip("/"),
            model=settings.cartesia.model,
            voice=settings.cartesia.voice,
            language=language,
            tokenizer=FirstWordsTokenizer(),
        ),
        vad=voice_activity,
    )


def turn_handling(settings: Settings) -> TurnHandlingOptions:
    """When the agent speaks and when it stops."""
    return TurnHandlingOptions(
        # Both named, always: the defaults change with the environment and may reach for a cloud model.
        turn_detection=inference.TurnDetector(version="v1-mini"),
        endpointing={
            "min_delay": settings.turns.endpointing_min_s,
            "max_delay": settings.turns.endpointing_max_s,
        },
        interruption={
            "mode": "vad",
            "min_duration": settings.turns.interruption_s,
            "resume_false_interruption": True,
            "false_interruption_timeout": settings.turns.false_interruption_s,
        },
        preemptive_generation={"enabled": True, "preemptive_tts": True},
    )


def build_session(settings: Settings, pipeline: Pipeline, call: Call) -> AgentSession[Call]:
    """The session that carries a call through all its stages."""
    return AgentSession[Call](
        stt=pipeline.stt,
        llm=pipeline.llm,
        tts=pipeline.tts,
        vad=pipeline.vad,
        turn_handling=turn_handling(settings),
        transcription_timeout=TRANSCRIPT_S,
        userdata=call,
        # By default the first 3 s of the agent's speech ignore the caller. Browsers and phones cancel
        # their echo themselves, and a caller who knows the greeting wants to talk over it.
        aec_warmup_duration=None,
        conn_options=SessionConnectOptions(
            stt_conn_options=LISTENING, llm_conn_options=ATTEMPT, tts_conn_options=ATTEMPT
        ),
    )


def room_options() -> room_io.RoomOptions:
    """Audio both ways and transcripts out; no video, and no text in from the room."""
    return room_io.RoomOptions(
        text_input=False,
        video_input=False,
        audio_input=room_io.AudioInputOptions(frame_size_ms=INPUT_FRAME_MS),
        audio_output=True,
        text_output=True,
        # A call outlives a dropped connection: callpool decides when it ends (see job.py).
        close_on_disconnect=False,
    )
