"""The LiveKit keys of a data directory, and its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from callpool.errors import CallpoolError
from callpool.local.data_directory import (
    GIVEN_SECRET_FILE,
    KEY_FILE,
    SECRET_FILE,
    SERVER_FILE,
    SHORTEST_SECRET,
    DataDirectory,
    Keys,
    write_private,
)
from callpool.settings import Settings, load


def keys_of(path: Path) -> Keys:
    home = DataDirectory.claim(path)
    try:
        return home.livekit_keys(Settings())
    finally:
        home.release()


def test_keys_are_made_once(tmp_path: Path) -> None:
    """Tokens that were given out stay good over a restart."""
    assert keys_of(tmp_path) == keys_of(tmp_path)


@pytest.mark.parametrize("left", [(b"", b""), (b"API1", b""), (b"", b"s" * 40), (b"API1", b"\xff\xfe")])
def test_keys_that_were_cut_short_are_made_anew(tmp_path: Path, left: tuple[bytes, bytes]) -> None:
    """As a full disk leaves them."""
    (tmp_path / KEY_FILE).write_bytes(left[0])
    (tmp_path / SECRET_FILE).write_bytes(left[1])
    keys = keys_of(tmp_path)
    assert keys.api_key.startswith("API")
    assert len(keys.secret.reveal()) >= SHORTEST_SECRET
    assert keys.secret_file.read_text() == keys.secret.reveal()


def test_a_secret_that_was_given_is_not_left_behind(tmp_path: Path) -> None:
    """It may come from a vault; neither its file nor the LiveKit server's configuration outlives `up`."""
    home = DataDirectory.claim(tmp_path)
    keys = home.livekit_keys(load({"LIVEKIT_API_KEY": "key", "LIVEKIT_API_SECRET": "s" * 40}))
    assert keys.secret_file == tmp_path / GIVEN_SECRET_FILE
    assert keys.secret_file.read_text() == "s" * 40
    write_private(tmp_path / SERVER_FILE, f"keys: {{key: {'s' * 40}}}")
    home.release()
    assert [file.name for file in tmp_path.iterdir() if "s" * 40 in file.read_text()] == []


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """In one line; the keys are not replaced."""
    (tmp_path / SECRET_FILE).mkdir()
    with pytest.raises(CallpoolError, match=rf"{SECRET_FILE} cannot be read: Is a directory"):
        keys_of(tmp_path)


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """In one line, and without leaving a part of it behind."""
    (tmp_path / "livekit.yaml").mkdir()
    with pytest.raises(CallpoolError, match=r"livekit\.yaml cannot be written: Is a directory"):
        write_private(tmp_path / "livekit.yaml", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["livekit.yaml"]
