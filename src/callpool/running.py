"""What `callpool up` says about itself while it runs: the file up.json in the data directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import psutil

from callpool.errors import SettingError
from callpool.provider_settings import PROVIDERS, Provider
from callpool.secrets import Secret
from callpool.settings import Settings

UP_FILE = "up.json"


@dataclass(frozen=True)
class Running:
    """A running `callpool up`. Base URLs; empty for a part that it does not run."""

    livekit_url: str = ""
    api_key: str = ""
    api_secret_file: str = ""
    web: str = ""
    worker: str = ""
    providers: str = ""
    dispatcher: str = ""
    inspector: str = ""
    store: str = ""
    pids: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def find(cls, data_dir: Path) -> Running | None:
        """Read up.json. None when there is none, or when every process that it names is gone.

        Raises SettingError for a file that is no JSON object of the expected shape.
        """
        path = data_dir / UP_FILE
        try:
            document: Any = json.loads(path.read_text())
            names = [entry.name for entry in fields(cls) if entry.name != "pids"]
            texts = {name: str(document.get(name) or "") for name in names}
            pids = {str(name): int(pid) for name, pid in (document.get("pids") or {}).items()}
            alive = not pids or any(psutil.pid_exists(pid) for pid in pids.values())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            expected = f"the file that `callpool up` wrote (stop it and run `make up` again; {error})"
            raise SettingError(str(path), "unreadable", expected) from error
        return cls(**texts, pids=pids) if alive else None

    def applied(self, settings: Settings) -> Settings:
        """The settings that its processes have: its LiveKit server and keys, its store, its local providers.

        Raises SettingError when the file with the LiveKit secret cannot be read.
        """
        livekit = settings.livekit
        if self.livekit_url:
            livekit = replace(livekit, url=self.livekit_url, api_key=self.api_key, api_secret=self._secret())
        made = replace(
            settings,
            livekit=livekit,
            store=replace(settings.store, url=self.store) if self.store else settings.store,
        )
        return with_local_providers(made, self.providers) if self.providers else made

    def _secret(self) -> Secret:
        try:
            return Secret(Path(self.api_secret_file).read_text().strip())
        except OSError as error:
            expected = f"a readable file with the LiveKit secret in it ({error.strerror})"
            raise SettingError("api_secret_file", self.api_secret_file, expected) from error


def with_local_providers(settings: Settings, origin: str) -> Settings:
    """Point every provider that has neither a key nor a base URL of its own at the local providers."""
    changed = {
        provider: replace(getattr(settings, provider), base_url=base_url)
        for provider, base_url in local_base_urls(settings, origin).items()
    }
    return replace(settings, **changed)


def local_base_urls(settings: Settings, origin: str) -> dict[Provider, str]:
    """Where the local providers at `origin` serve each provider that they stand in for."""
    origin = origin.rstrip("/")
    return {
        provider: f"{origin}/v1" if provider == "openai" else origin
        for provider in PROVIDERS
        if settings.is_local(provider)
    }
