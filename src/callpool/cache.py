"""What was built once for this user, for every clone of callpool."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """`callpool` in the user's cache directory; not made by this."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callpool"
