"""Fixed sentences in several languages: a YAML table of language -> key -> words."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources

import yaml

from callpool.call import base_language

FALLBACK = "en"
"""The language of what a caller's own language lacks."""


class Phrases:
    """The sentences of one `phrases.yaml`."""

    def __init__(self, table: Mapping[str, Mapping[str, str]]) -> None:
        self._table = table

    @classmethod
    def of(cls, package: str) -> Phrases:
        """Those in a package's `phrases.yaml`. Reads the file: do so while a process warms up."""
        return cls(yaml.safe_load(resources.files(package).joinpath("phrases.yaml").read_text()))

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(self._table)

    def say(self, key: str, language: str, **values: str) -> str:
        """The sentence `key` in a language (`de`, `de-CH`), with `{name}` replaced. Raises KeyError."""
        own = self._table.get(base_language(language), {})
        words = own[key] if key in own else self._table[FALLBACK][key]
        return words.format(**values) if values else words
