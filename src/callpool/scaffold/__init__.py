"""`callpool new`: a small package of agents to begin one's own with.

The package is `callpool.scaffold.restaurant`, which works where it lies, and is checked and tested there. Its
modules import each other relatively, so that it works under any name. `project` is what is written beside it.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from callpool.errors import CallpoolError, SettingError

PLACEHOLDER = "PACKAGE"
"""Stands for the package's name in the files of `project`."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


def write(path: Path) -> str:
    """Write the package into a new or an empty folder, which names it. Gives what to do next.

    Raises SettingError for a folder that has something in it and for a name that no package can have;
    CallpoolError when it cannot be written. Nothing is left behind then.
    """
    folder = path.resolve()
    package = package_name(folder)
    _check_empty(folder)
    _write(folder, dict(_files(package)))
    return (
        f"{path}: an agent with its prompt, a tool, rules for the stand-in, and a scenario. Next:\n"
        f"    cd {shlex.quote(str(path))}\n"
        f"    callpool eval --roster {package}.roster\n"
        f"    callpool up --roster {package}.roster"
    )


def package_name(folder: Path) -> str:
    """The package's name: that of the folder, `-` as `_`. Raises SettingError."""
    name = folder.name.lower().replace("-", "_")
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        expected = "a folder whose name can be a package's: letters, digits, - and _, a letter first"
        raise SettingError("PATH", folder.name or str(folder), expected)
    if name in sys.stdlib_module_names or _is_installed(name):
        raise SettingError("PATH", folder.name, f"a name of its own: there is a package {name} already")
    return name


def _is_installed(name: str) -> bool:
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None  # without one, it is the folder itself


def _check_empty(folder: Path) -> None:
    expected = "a new folder, or an empty one"
    try:
        if any(folder.iterdir()):
            raise SettingError("PATH", str(folder), expected)
    except FileNotFoundError:
        return
    except OSError as error:
        raise SettingError("PATH", str(folder), f"{expected} ({error.strerror})") from error


def _files(package: str) -> Iterator[tuple[str, str]]:
    """The texts of all files, by their paths in the folder."""
    here = resources.files(__package__)
    for name, text in _texts(here / "restaurant"):
        yield f"{package}/{name}", text
    for name, text in _texts(here / "project"):
        yield name.replace("gitignore", ".gitignore"), text.replace(PLACEHOLDER, package)


def _texts(folder: Traversable, inside: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _texts(entry, f"{inside}{entry.name}/")
        elif entry.is_file():
            yield f"{inside}{entry.name}", entry.read_text()


def _write(folder: Path, files: dict[str, str]) -> None:
    """Write all files, or none."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
    except BaseException as error:
        if missing:
            shutil.rmtree(missing[-1], ignore_errors=True)
        else:
            for top in {name.partition("/")[0] for name in files}:
                _remove(folder / top)
        if isinstance(error, OSError):
            raise CallpoolError(f"cannot write {error.filename or folder}: {error.strerror}") from error
        raise


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
