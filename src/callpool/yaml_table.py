"""YAML files that settings name: tables of entries by name."""

from __future__ import annotations

from pathlib import Path

import yaml

from callpool.errors import SettingError


def read_table(setting: str, path: Path, holds: str) -> dict[str, object]:
    """The entries of a file. `holds` says what they are ("profiles by name").

    Raises SettingError, under the name of `setting`.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SettingError(setting, str(path), f"a readable file ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SettingError(setting, str(path), f"a YAML file ({reason})") from error
    if not isinstance(document, dict):
        raise SettingError(setting, str(path), f"a YAML file of {holds}")
    return {str(name): entry for name, entry in document.items()}
