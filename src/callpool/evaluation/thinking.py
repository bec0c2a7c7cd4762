"""What the agents of a text call think with: the models, profiles and tools that a worker's process has."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from livekit.agents import llm

from callpool.errors import SettingError
from callpool.hand_off import Models
from callpool.identification import Identification
from callpool.language_models import LanguageModels
from callpool.listening import listen
from callpool.local import openai as local_openai
from callpool.local.behaviour import Behaviour
from callpool.local.providers import HOST, roster_folder
from callpool.local.standin import StandIn
from callpool.mcp_servers import McpServers
from callpool.profiles import Profile, Profiles
from callpool.running import with_local_providers
from callpool.settings import Settings
from callpool.stages import Stage


@dataclass(frozen=True)
class Thinking:
    """Everything that text calls share. Made by `thinking`."""

    settings: Settings
    """With a language model that answers."""
    profiles: Profiles
    models: LanguageModels
    identification: Identification
    mcp: McpServers
    profile: str | None

    @property
    def llm(self) -> llm.LLM[Any]:
        """The session's own model, for agents that are given none."""
        return self.models.for_profile(self._of_stage(None))

    def models_of(self, stage: Stage[Any, Any]) -> Models:
        """What the agent of a stage is given."""
        profile = self._of_stage(stage)
        return Models(profile.label, self.models.for_profile(profile), tuple(self.mcp.tools_for(stage.name)))

    def _of_stage(self, stage: Stage[Any, Any] | None) -> Profile:
        # Not asked for as a call does: without sound, nothing but the language model must be there.
        if self.profile is not None:
            return self.profiles.usable(self.profile)
        return (
            self.profiles.of_stage(None, stage.name, stage.profile) if stage else self.profiles.of_call(None)
        )


@contextlib.asynccontextmanager
async def thinking(settings: Settings, profile: str | None) -> AsyncIterator[Thinking]:
    """Get everything ready. Raises SettingError for a profile without a language model that can be used."""
    async with _language_model(settings) as ready:
        profiles = Profiles.read(ready)
        name = profile or ready.profiles.name
        if why := profiles.obstacle(name, ("llm",)):
            raise SettingError("--profile", name, why)
        models, mcp = LanguageModels(ready, profiles), McpServers(ready)
        mcp.start()
        try:
            yield Thinking(ready, profiles, models, Identification(ready.worker.languages), mcp, profile)
        finally:
            await mcp.aclose()
            await models.aclose()


@contextlib.asynccontextmanager
async def _language_model(settings: Settings) -> AsyncIterator[Settings]:
    """The settings with a language model that answers: without a key, the stand-in, in this process."""
    if not settings.is_local("openai"):
        yield settings
        return
    app = web.Application()
    model = StandIn.load([roster_folder(settings.worker.roster)])
    app.add_routes(local_openai.routes(model, Behaviour()))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        yield with_local_providers(settings, await listen(runner, "PROVIDERS", HOST, 0))
    finally:
        await runner.cleanup()
