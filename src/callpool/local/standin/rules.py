"""The rules beside an agent: one small YAML file that teaches the stand-in the agent's business.

    agent: reception                 # rules apply when a system message has the heading line "# Reception"
    languages:
      en:                            # one section a language; English for now
        greeting: …                  # said when nobody has spoken yet
        help: …                      # said when nothing was understood, and when asked what it can do
        goodbye: …                   # said when the call ends
        intents:                     # tool -> word groups; a group counts when all its words were said,
          TOOL: [track, where package]        # in any order and form; "-word" forbids a word
        questions:                   # parameter (or TOOL.parameter) -> how to ask for it
          PARAMETER: …
        results:                     # tool -> sentences over the fields of its JSON result; said is the first
          TOOL:                      # one that has every {field} and whose `when` (field: value) holds
            - when: {status: shipped}
              say: …
            - say: …
        with_call:                   # tool -> what is said while it runs; empty: nothing
          TOOL: …
        talk:                        # questions that need no tool
          - words: [opening hours]   # word groups, as in intents
            say: …

Only `agent` and `languages` are required. Rules hold the words of a business, not the sentences of a test.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from callpool.errors import SettingError
from callpool.local.standin.words import stem, stems

LANGUAGES = ("en",)


@dataclass(frozen=True)
class WordGroup:
    """Stems that must all be there, and stems that must not."""

    wanted: frozenset[str]
    forbidden: frozenset[str]

    def counts(self, said: Set[str]) -> bool:
        return self.wanted <= said and not self.forbidden & said


@dataclass(frozen=True)
class Sentence:
    """How a result is told, when it is usable."""

    say: str
    when: Mapping[str, str]

    @property
    def fields(self) -> list[str]:
        return [name for _, name, _, _ in string.Formatter().parse(self.say) if name is not None]


@dataclass(frozen=True)
class Talk:
    words: tuple[WordGroup, ...]
    say: str


@dataclass(frozen=True)
class Rules:
    """The rules of one agent in one language. With empty ones the stand-in goes by the tools alone."""

    agent: str = ""
    greeting: str = ""
    help: str = ""
    goodbye: str = ""
    intents: Mapping[str, tuple[WordGroup, ...]] = field(default_factory=dict)
    questions: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, tuple[Sentence, ...]] = field(default_factory=dict)
    with_call: Mapping[str, str] = field(default_factory=dict)
    talk: tuple[Talk, ...] = ()

    def apply_to(self, instructions: Iterable[str]) -> bool:
        heading = re.compile(rf"^#\s+{re.escape(self.agent)}\s*$", re.IGNORECASE | re.MULTILINE)
        return any(heading.search(text) for text in instructions)


def read_rules(folders: Sequence[Path]) -> list[Rules]:
    """Read every `*.yaml` file in the folders, by name.

    Raises SettingError, naming the file and the key, for anything that is not a rule.
    """
    return [_Reader(path).rules() for folder in folders for path in sorted(folder.glob("*.yaml"))]


class _Reader:
    """Reads one file, and says where it went wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rules(self) -> Rules:
        try:
            document = yaml.safe_load(self._path.read_text())
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            expected = f"a YAML file ({' '.join(str(error).split())})"
            raise SettingError(str(self._path), "unreadable", expected) from error
        document = self._table("", document, ("agent", "languages"))
        agent = self._text("agent", document.get("agent"))
        sections = self._table("languages", document.get("languages"), LANGUAGES)
        known = {
            "greeting": self._text,
            "help": self._text,
            "goodbye": self._text,
            "intents": self._each(self._groups),
            "questions": self._each(self._text),
            "results": self._each(self._sentences),
            "with_call": self._each(self._text_or_nothing),
            "talk": self._talk,
        }
        section = self._table("languages.en", sections.get("en", {}), tuple(known))
        read = {name: known[name](f"languages.en.{name}", value) for name, value in section.items()}
        return Rules(agent=agent, **read)  # type: ignore[arg-type]

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
            table = self._table(where, entry, ("say", "when"))
            when = self._table(f"{where}.when", table.get("when", {}))
            sentence = Sentence(
                self._text(f"{where}.say", table.get("say")),
                {name: str(wanted) for name, wanted in when.items()},
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
            table = self._table(where, entry, ("words", "say"))
            groups = self._groups(f"{where}.words", table.get("words"))
            entries.append(Talk(groups, self._text(f"{where}.say", table.get("say"))))
        return tuple(entries)
