"""The language models of a process: made while it warms up, so that no caller waits for certificates."""

from __future__ import annotations

from typing import Any

from livekit.agents import llm
from livekit.plugins import openai

from callpool.fallback import answering
from callpool.profiles import Member, Profile, Profiles
from callpool.settings import Settings


class LanguageModels:
    """The models of all profiles, with a client for each provider. Opens no connection yet."""

    def __init__(self, settings: Settings, profiles: Profiles) -> None:
        self._settings = settings
        self._first: dict[str, openai.LLM] = {}
        self._models: dict[Member, openai.LLM] = {}
        self._chains: dict[tuple[Member, ...], llm.LLM[Any]] = {}
        for name in profiles.names:
            if profiles.usable(name).llm:
                self.for_profile(profiles.usable(name))

    def for_profile(self, profile: Profile) -> llm.LLM[Any]:
        """The model of a profile, or the chain of its models. The same object each time."""
        members = profile.llm
        if members not in self._chains:
            self._chains[members] = answering([self._model(member) for member in members])
        return self._chains[members]

    def prewarm(self) -> None:
        """Open a connection to each provider. Needs a running loop."""
        for model in self._first.values():
            model.prewarm()

    async def aclose(self) -> None:
        """Close the chains and the clients."""
        for chain in self._chains.values():
            await chain.aclose()
        for model in self._first.values():
            await model.aclose()

    def _model(self, member: Member) -> openai.LLM:
        if member not in self._models:
            self._models[member] = self._make(member)
        return self._models[member]

    def _make(self, member: Member) -> openai.LLM:
        # Others than OpenAI refuse schemas that are marked as strict.
        strict = member.provider == "openai"
        if (first := self._first.get(member.provider)) is not None:
            # The provider's connections, which one request has opened for all its models. Private, since the
            # plugin knows how long they are to be kept; test_profiles_models.py fails when it moves.
            return openai.LLM(model=member.model, client=first._client, _strict_tool_schema=strict)
        group = getattr(self._settings, member.provider)
        self._first[member.provider] = made = openai.LLM(
            model=member.model, api_key=group.key, base_url=group.base_url, _strict_tool_schema=strict
        )
        return made
