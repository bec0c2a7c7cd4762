"""The language models of a process: made while it warms up, so that no caller waits for certificates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2 as httpx
from livekit.agents import llm
from livekit.plugins import openai
from openai import AsyncClient

from callpool import completeness
from callpool.fallback import answering
from callpool.fallback.answer import AnswerChain
from callpool.fallback.standing import Standing
from callpool.profiles import Member, Profile, Profiles
from callpool.settings import Settings

CONNECT_S = 5.0
"""How long a connection to a provider may take to be made, seconds."""
KEEP_S = 120.0
"""How long a connection is kept open between two answers, seconds: longer than most turns are apart."""


class LanguageModels:
    """The models of all profiles, with a client for each provider. Opens no connection yet."""

    def __init__(self, settings: Settings, profiles: Profiles, standing: Standing | None = None) -> None:
        self._settings = settings
        self._standing = standing or Standing()
        self._clients: dict[str, AsyncClient] = {}
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
            self._chains[members] = answering(
                [self._model(member) for member in members],
                [member.provider for member in members],
                self._standing,
            )
        return self._chains[members]

    @property
    def members(self) -> Mapping[Member, llm.LLM[Any]]:
        """Each model that a call may be answered by."""
        return self._models

    def unreported(self) -> Iterator[tuple[Member, int]]:
        """Models whose answers go on or were cut off, and how many characters have come of those."""
        for members, chain in self._chains.items():
            if isinstance(chain, AnswerChain):
                for at, characters in chain.unreported.items():
                    yield members[at], characters

    def use_instead(self, profile: Profile) -> None:
        """Have the models of a profile answer from now on, whoever is asked."""
        replacement = self.for_profile(profile)
        for chain in self._chains.values():
            if isinstance(chain, AnswerChain) and chain is not replacement:
                chain.instead = replacement

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
        for client in self._clients.values():
            await client.close()

    def _model(self, member: Member) -> openai.LLM:
        if member not in self._models:
            self._models[member] = made = self._make(member)
            self._first.setdefault(member.provider, made)
        return self._models[member]

    def _make(self, member: Member) -> openai.LLM:
        # Others than OpenAI refuse schemas that are marked as strict.
        strict = member.provider == "openai"
        return openai.LLM(
            model=member.model, client=self._client(member.provider), _strict_tool_schema=strict
        )

    def _client(self, provider: str) -> AsyncClient:
        """The provider's connections, which one request opens for all its models."""
        if provider not in self._clients:
            group = getattr(self._settings, provider)
            self._clients[provider] = AsyncClient(
                api_key=group.key,
                base_url=group.base_url,
                max_retries=0,
                http_client=httpx.AsyncClient(
                    timeout=httpx.Timeout(CONNECT_S),
                    follow_redirects=True,
                    limits=httpx.Limits(
                        max_connections=50, max_keepalive_connections=50, keepalive_expiry=KEEP_S
                    ),
                    event_hooks={"response": [completeness.watch]},
                ),
            )
        return self._clients[provider]
