"""Reads the rules' files, and says where one is wrong."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from callpool.errors import SettingError
from callpool.local.standin.rules import ANY, Rules, Sentence, Talk, WordGroup
from callpool.local.standin.sayings import LANGUAGES
from callpool.local.standin.words import stem, stems

NO_RULES = ("phrases.yaml",)
"""Files beside the agents that hold something else: the service's fixed sentences."""


def read_rules(folders: Sequence[Path]) -> list[Rules]:
    """Read every `*.yaml` file in the folders but `phrases.yaml`, by name.

    Raises SettingError, naming the file and the key, for anything that is not a rule.
    """
    read = [
        rules
        for folder in folders
        for path in sorted(folder.glob("*.yaml"))
        if path.name not in NO_RULES
        for rules in _Reader(path).rules()
    ]
    shared = [rules for rules in read if rules.agent == ANY]
    merged: list[Rules] = []
    for rules in read:
        if rules.agent != ANY:
            for base in shared:
                rules = rules.over(base) if base.language == rules.language else rules
            merged.append(rules)
    return merged


class _Reader:
    """Reads one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rules(self) -> list[Rules]:
        """One set of rules for each language."""
        try:
            document = yaml.safe_load(self._path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            expected = f"a YAML file ({' '.join(str(error).split())})"
            raise SettingError(str(self._path), "unreadable", expected) from error
        document = self._table("", document, ("agent", "purpose", "one_at_a_time", "languages"))
        agent = self._text("agent", document.get("agent"))
        purpose = self._text_or_nothing("purpose", document.get("purpose", ""))
        alone = document.get("one_at_a_time") is True
        sections = self._table("languages", document.get("languages"), LANGUAGES)
        english: dict[str, object] = {}
        rules: list[Rules] = []
        for language in sorted(sections, key=LANGUAGES.index):
            read = self._section(f"languages.{language}", sections[language])
            english = read if language == "en" else english
            words: dict[str, Any] = {
                key: english[key] for key in ("intents", "vague", "values", "unless_known") if key in english
            }
            rules.append(Rules(agent, language, purpose, alone, **(words | read)))
        return rules or [Rules(agent, purpose=purpose, one_at_a_time=alone)]

    def _section(self, where: str, section: object) -> dict[str, object]:
        known: dict[str, Callable[[str, object], object]] = {
            "greeting": self._text,
            "entry": self._text,
            "unsettled": self._text,
            "help": self._text,
            "goodbye": self._text,
            "intents": self._each(self._groups),
            "vague": self._each(self._groups),
            "unless_known": self._texts,
            "questions": self._each(self._text),
            "results": self._each(self._sentences),
            "with_call": self._each(self._text_or_nothing),
            "talk": self._talk,
            "values": self._each(self._texts),
            "glossary": self._each(self._text),
        }
        table = self._table(where, section, tuple(known))
        return {name: known[name](f"{where}.{name}", value) for name, value in table.items()}

    def _wrong(self, key: str, value: object, expected: str) -> SettingError:
        return SettingError(f"{self._path}: {key}" if key else str(self._path), value, expected)

    def _table(self, key: str, value: object, names: Sequence[str] | None = None) -> dict[str, object]:
        if not isinstance(value, dict):
            raise self._wrong(key, value, f"a table with {', '.join(names) if names else 'names as keys'}")
        for name in value:
            if not isinstance(name, str) or (names and name not in names):
                inside = f"{key}.{name}" if key else str(name)
                raise self._wrong(inside, name, f"one of {', '.join(names)}" if names else "a name in quotes")
        return value

    def _text(self, key: str, value: object) -> str:
        if not isinstance(value, str) or not value.strip():
            raise self._wrong(key, value, "a text")
        return value.strip()

    def _text_or_nothing(self, key: str, value: object) -> str:
        return self._text(key, value) if value else ""

    def _list(self, key: str, value: object) -> list[object]:
        if not isinstance(value, list) or not value:
            raise self._wrong(key, value, "a list with at least one entry")
        return value

    def _texts(self, key: str, value: object) -> tuple[str, ...]:
        return tuple(self._text(key, entry) for entry in self._list(key, value))

    def _each(self, read: Callable[[str, object], object]) -> Callable[[str, object], object]:
        def table(key: str, value: object) -> dict[str, object]:
            return {name: read(f"{key}.{name}", entry) for name, entry in self._table(key, value).items()}

        return table

    def _groups(self, key: str, value: object) -> tuple[WordGroup, ...]:
        groups = []
        for entry in self._list(key, value):
            words = self._text(key, entry).split()
            wanted = frozenset(root for word in words if word[0] != "-" for root in stems(word))
            if not wanted:
                raise self._wrong(key, entry, "at least one word that must be said")
            groups.append(WordGroup(wanted, frozenset(stem(word[1:]) for word in words if word[0] == "-")))
        return tuple(groups)

    def _sentences(self, key: str, value: object) -> tuple[Sentence, ...]:
        sentences = []
        for index, entry in enumerate(self._list(key, value)):
            where = f"{key}[{index}]"
            table = self._table(where, entry, ("say", "when", "words"))
            when = self._table(f"{where}.when", table.get("when", {}))
            sentence = Sentence(
                self._text(f"{where}.say", table.get("say")),
                {name: str(wanted) for name, wanted in when.items()},
                self._groups(f"{where}.words", table["words"]) if "words" in table else (),
            )
            self._check_fields(f"{where}.say", sentence.say)
            sentences.append(sentence)
        return tuple(sentences)

    def _check_fields(self, key: str, say: str) -> None:
        """A field may be a name and nothing else: a format such as `{eta:d}` would fail in mid-call."""
        try:
            fields = list(string.Formatter().parse(say))
        except ValueError as error:
            raise self._wrong(key, say, f"a text with fields in braces ({error})") from error
        for _, name, form, conversion in fields:
            if name is not None and (form or conversion or not name.isidentifier()):
                written = f"{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
                raise self._wrong(key, f"{{{written}}}", "the name of a field between the braces")

    def _talk(self, key: str, value: object) -> tuple[Talk, ...]:
        entries = []
        for index, entry in enumerate(self._list(key, value)):
            where = f"{key}[{index}]"
            table = self._table(where, entry, ("words", "say", "first"))
            groups = self._groups(f"{where}.words", table.get("words"))
            entries.append(
                Talk(groups, self._text(f"{where}.say", table.get("say")), table.get("first") is True)
            )
        return tuple(entries)
