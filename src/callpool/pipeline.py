"""Speech to text, language model, text to speech: the parts of a call's pipeline and its turn-taking.

Every number here was chosen by measurement; docs/benchmarks.md says which, and against what.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from livekit.agents import AgentSession, TurnHandlingOptions, inference, llm, room_io, tts, vad
from livekit.agents.voice.agent_session import SessionConnectOptions

from callpool.call import Call
from callpool.ears import Ears, make_ears
from callpool.fallback import listening, speaking
from callpool.fallback.ears import EarChain
from callpool.fallback.standing import Standing
from callpool.fallback.tries import ONE_TRY
from callpool.language_models import LanguageModels
from callpool.metering import Meter
from callpool.profiles import Profile, Profiles
from callpool.settings import Settings
from callpool.voices import Voice, make_voice

VAD_MIN_SILENCE_S = 0.25
"""The end-of-turn model wants at least this much silence before it is asked."""

INPUT_FRAME_MS = 20
"""The caller's audio reaches VAD and speech to text in frames of this length. The SDK's default of 50 ms adds
its half to every turn and to every interruption."""

ATTEMPT = ONE_TRY
"""The chains of callpool.fallback decide how often a provider is asked and for how long. The SDK's own
retries begin an answer anew that was half spoken, and drop what a voice had still to say."""
MOST_ERRORS = 10_000
"""Failures in a row after which the SDK ends a call by itself. `Apology` does so before, with a farewell."""

TRANSCRIPT_S = 6.0
"""How long the first words of what a caller said may take before speech to text counts as deaf, seconds."""


@dataclass(frozen=True)
class Pipeline:
    """The models of one call."""

    stt: EarChain
    llm: llm.LLM[Any]
    tts: tts.TTS[Any]
    vad: vad.VAD
    ears: tuple[Ears, ...]
    voices: tuple[Voice, ...]

    def prewarm(self) -> None:
        """Open the connections that the first turn would otherwise wait for. Needs a running loop.

        Speech to text connects by itself when the session starts.
        """
        self.tts.prewarm()

    def follow(self, session: AgentSession[Call]) -> None:
        """Have speech to text know when the caller speaks: one that then has no words is replaced."""
        session.on("user_state_changed", lambda event: self.stt.note_voice(event.new_state == "speaking"))

    def report_to(self, meter: Meter, profile: Profile) -> None:
        """Have a meter count what ears and voices use. `profile`: the one that they were built for."""
        for member, ears in zip(profile.stt, self.ears, strict=True):
            meter.listen(member, ears.stt)
        for member, voice in zip(profile.tts, self.voices, strict=True):
            meter.listen(member, voice.tts)

    def set_language(self, language: str, listen_to: str | None = None) -> None:
        """Speak `language` (`de`, `de-CH`) from the next answer on, and understand it, whoever serves.

        `listen_to`: what is listened for when that is more than the language, such as `multi`.
        """
        self.listen_in(language, listen_to or language)
        self.speak_in(language)

    def speak_in(self, language: str) -> None:
        """Speak `language` (`de`, `de-CH`) from the next answer on, whoever serves."""
        for voice in self.voices:
            voice.set_language(language)

    def listen_in(self, language: str, listen_to: str) -> None:
        """Understand `listen_to`: `language`, or more, such as `multi`. Connects anew: words that are being
        said meanwhile may be lost."""
        for ears in self.ears:
            ears.set_language(language, listen_to)


def build_vad() -> vad.VAD:
    """Silero, with a silence short enough to end a turn early."""
    return inference.VAD(model="silero", min_silence_duration=VAD_MIN_SILENCE_S)


def build_llm(settings: Settings) -> llm.LLM[Any]:
    """The language model of the settings' profile. Raises SettingError."""
    profiles = Profiles.read(settings)
    return LanguageModels(settings, profiles).for_profile(profiles.of_call(None))


def build_pipeline(
    settings: Settings,
    model: llm.LLM[Any],
    voice_activity: vad.VAD,
    language: str,
    *,
    profile: Profile | None = None,
    listen_to: str | None = None,
    tag: str = "",
    standing: Standing | None = None,
) -> Pipeline:
    """The real plugins on the configured base URLs. They never learn whether a provider is local.

    `profile`: whose ears and voice it has (None: that of the settings); `listen_to` is as in
    `Pipeline.set_language`. `tag` names the call in the usage reports of speech to text. `standing`: told how
    the providers fare.
    """
    if profile is None:
        profile = Profiles.read(settings).of_call(None)
    ears = tuple(make_ears(settings, member, language, listen_to or language, tag) for member in profile.stt)
    voices = tuple(make_voice(settings, member, language) for member in profile.tts)
    return Pipeline(
        stt=listening([each.stt for each in ears], [one.provider for one in profile.stt], standing),
        llm=model,
        tts=speaking([each.tts for each in voices], [one.provider for one in profile.tts], standing),
        vad=voice_activity,
        ears=ears,
        voices=voices,
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
        user_turn_limit={"max_duration": settings.manners.monologue_s},
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
        # Silence of this length makes the caller "away", and `manners` asks for them.
        user_away_timeout=settings.manners.silence_s,
        # By default the first 3 s of the agent's speech ignore the caller. Browsers and phones cancel
        # their echo themselves, and a caller who knows the greeting wants to talk over it.
        aec_warmup_duration=None,
        conn_options=SessionConnectOptions(
            stt_conn_options=ATTEMPT,
            llm_conn_options=ATTEMPT,
            tts_conn_options=ATTEMPT,
            max_unrecoverable_errors=MOST_ERRORS,
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
