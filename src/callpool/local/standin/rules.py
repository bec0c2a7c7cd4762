"""The rules beside an agent: one small YAML file that teaches the stand-in the agent's business.

    agent: data_collection           # rules apply when a system message has the heading "# Data collection";
                                     # those of the agent "any" are added to every other agent's
    purpose: TOOL                    # the tool that this agent is there for: with a free text among its
                                     # needed parameters it is called with any request, word for word; without
                                     # one it is filled over turns, and what is missing is asked for
    one_at_a_time: true              # never two tools in one answer
    languages:
      en:                            # one section a language: en, de, es
        greeting: …                  # said when nobody has spoken yet
        entry: …                     # said when the agent takes over and nothing is open
        unsettled: …                 # said when what the caller wants fits no tool
        help: …                      # said when nothing was understood, and when asked what it can do
        goodbye: …                   # said when the call ends
        intents:                     # tool -> word groups; a group counts when all its words were said,
          TOOL: [track, where package]        # in any order and form; "-word" forbids a word
        vague:                       # tool -> word groups that count when no other request is open
          TOOL: [order]
        unless_known: [TOOL]         # tools that are not called with what the instructions know already
        questions:                   # parameter (or TOOL.parameter) -> how to ask for it
          PARAMETER: …
        results:                     # tool -> sentences over the fields of its JSON result; said is the first
          TOOL:                      # one that has every {field} and whose `when` (field: value) holds; a
            - when: {status: shipped}         # result that is text, by the `words` that are in it
              say: …
            - words: [not found]
              say: …
        with_call:                   # tool -> what is said while it runs; empty: nothing
          TOOL: …
        talk:                        # questions that need no tool
          - words: [opening hours]   # word groups, as in intents
            say: …
            first: true              # even when the words ask for a tool
        values:                      # parameter (or TOOL.parameter) -> what the business calls the things
          PARAMETER: [desk lamp]     # that it takes
        glossary:                    # words of the business in this language -> English
          WORD: …

Only `agent` and `languages` are required. Rules hold the words of a business, not the sentences of a test.
Callers are understood by an English gloss (`gloss`), so that word groups are English in every language;
`intents`, `vague`, `values` and `unless_known` are taken from `en` where a language has none.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field, fields, replace

from callpool.local.standin.sayings import SAYINGS, Say

ANY = "any"
"""The agent whose rules are added to all others."""


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
    when: Mapping[str, str] = field(default_factory=dict)
    words: tuple[WordGroup, ...] = ()

    @property
    def fields(self) -> list[str]:
        return [name for _, name, _, _ in string.Formatter().parse(self.say) if name is not None]


@dataclass(frozen=True)
class Talk:
    words: tuple[WordGroup, ...]
    say: str
    first: bool = False


@dataclass(frozen=True)
class Rules:
    """The rules of one agent in one language. With empty ones the stand-in goes by the tools alone."""

    agent: str = ""
    language: str = "en"
    purpose: str = ""
    one_at_a_time: bool = False
    greeting: str = ""
    entry: str = ""
    unsettled: str = ""
    help: str = ""
    goodbye: str = ""
    intents: Mapping[str, tuple[WordGroup, ...]] = field(default_factory=dict)
    vague: Mapping[str, tuple[WordGroup, ...]] = field(default_factory=dict)
    unless_known: tuple[str, ...] = ()
    questions: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, tuple[Sentence, ...]] = field(default_factory=dict)
    with_call: Mapping[str, str] = field(default_factory=dict)
    talk: tuple[Talk, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    glossary: Mapping[str, str] = field(default_factory=dict)
    everywhere: tuple[str, ...] = ()
    """The tools that the rules of the agent "any" have words for: each stage can do these at once."""

    @property
    def say(self) -> Say:
        """The stand-in's own sentences in this language."""
        return SAYINGS[self.language]

    def apply_to(self, instructions: Iterable[str]) -> bool:
        name = re.escape(self.agent).replace("_", "[_ ]")
        heading = re.compile(rf"^#\s+{name}\s*$", re.IGNORECASE | re.MULTILINE)
        return any(heading.search(text) for text in instructions)

    def over(self, base: Rules) -> Rules:
        """These rules, and what `base` has beside them."""
        merged: dict[str, object] = {}
        for each in fields(self):
            own, other = getattr(self, each.name), getattr(base, each.name)
            if isinstance(own, Mapping):
                merged[each.name] = {**other, **own}
            elif each.name == "talk":
                merged[each.name] = own + other
            else:
                merged[each.name] = own or other
        merged["everywhere"] = (*self.everywhere, *base.intents)
        return replace(self, **merged)  # type: ignore[arg-type]


def choose(rules: Iterable[Rules], instructions: Iterable[str], offered: Set[str], language: str) -> Rules:
    """The rules of the agent whose instructions these are; else of the one whose purpose is offered."""
    every = list(rules)
    texts = list(instructions)
    here = [each for each in every if each.apply_to(texts)]
    here = here or [each for each in every if each.purpose and each.purpose in offered]
    agent = here[0].agent if here else ""
    spoken = [each for each in every if each.agent == agent and each.language == language]
    return spoken[0] if spoken else here[0] if here else Rules(language=language)
