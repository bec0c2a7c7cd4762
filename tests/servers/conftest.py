"""What deploy/ ships is read in one place: tests/deploy."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "deploy"))
