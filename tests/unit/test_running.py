"""Finding a running `callpool up`, and taking its settings."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from callpool import settings
from callpool.errors import SettingError
from callpool.provider_settings import OPENAI_URL
from callpool.running import UP_FILE, Running


def write(folder: Path, **changed: object) -> None:
    secret = folder / "secret"
    secret.write_text("s" * 40 + "\n")
    document = {
        "livekit_url": "ws://127.0.0.1:17880",
        "api_key": "key",
        "api_secret_file": str(secret),
        "web": "http://127.0.0.1:18080",
        "worker": "http://127.0.0.1:18081",
        "providers": "http://127.0.0.1:18090",
        "dispatcher": None,
        "inspector": None,
        "store": "sqlite+aiosqlite:////tmp/there.db",
        "pids": {"up": os.getpid()},
    }
    (folder / UP_FILE).write_text(json.dumps(document | changed))


def test_nothing_runs_without_a_file(tmp_path: Path) -> None:
    """No file, no service."""
    assert Running.find(tmp_path) is None


def test_its_server_store_and_providers_are_used(tmp_path: Path) -> None:
    """A provider with a key of its own keeps its endpoint."""
    write(tmp_path)
    running = Running.find(tmp_path)
    assert running is not None
    assert running.dispatcher == ""
    used = running.applied(settings.load({"OPENAI_API_KEY": "k"}))
    assert (used.livekit.url, used.livekit.api_key) == ("ws://127.0.0.1:17880", "key")
    assert used.livekit.api_secret.reveal() == "s" * 40
    assert used.store_url == "sqlite+aiosqlite:////tmp/there.db"
    assert used.cartesia.base_url == used.deepgram.base_url == "http://127.0.0.1:18090"
    assert used.openai.base_url == OPENAI_URL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "[" * 20_000,
        '{"pids": {"up": "x"}}',
        '{"pids": {"up": 99999999999999999999}}',
        '{"pids": [1]}',
    ],
)
def test_a_file_that_is_something_else_is_named(tmp_path: Path, text: str) -> None:
    """One line with the file's name."""
    (tmp_path / UP_FILE).write_text(text)
    with pytest.raises(SettingError, match=UP_FILE):
        Running.find(tmp_path)


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Not a traceback, and not an empty secret."""
    write(tmp_path, api_secret_file=str(tmp_path / "gone"))
    running = Running.find(tmp_path)
    assert running is not None
    with pytest.raises(SettingError, match="gone"):
        running.applied(settings.load({}))
