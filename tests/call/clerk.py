"""A `callpool up` with real ears and a real voice, whose one agent says what a script holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from callpool import settings
from callpool.settings import Settings
from processes import any_ports, local_providers, started

HERE = Path(__file__).parent


@contextmanager
def clerk(
    folder: Path, livekit_program: Path, free_port: Callable[[], int], says: Sequence[str], **more: str
) -> Iterator[Settings]:
    """Its settings. The n-th entry of `says` answers the caller's n-th turn, the last one all later ones."""
    script = folder / "script.yaml"
    script.write_text(yaml.safe_dump({"hears": [{"text": "-"}], "says": [{"text": text} for text in says]}))
    arguments = ("--latency", "ttft=100", "--script", str(script))
    with local_providers(folder, free_port(), *arguments) as origin:
        env = any_ports(
            CALLPOOL_LIVEKIT_SERVER=str(livekit_program),
            CALLPOOL_ROSTER="clerk_roster",
            PYTHONPATH=os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH")))),
            OPENAI_BASE_URL=f"{origin}/v1",
            **more,
        )
        with started(folder, env) as up:
            up.ready()
            yield settings.load({"CALLPOOL_DATA_DIR": str(up.data_dir)})
