"""Values that are words rather than numbers: names of people, a word or a few, and whole clauses."""

from __future__ import annotations

import re

from callpool.local.standin import english
from callpool.local.standin.offered import Parameter, Tool
from callpool.local.standin.spoken import quantities
from callpool.local.standin.utterance import Found, Utterance
from callpool.local.standin.words import meanings, say_name, split_name, stem, stems

_NAME_WORDS_AT_MOST = 4


def names(parameter: Parameter, said: Utterance) -> Found:
    for match in english.NAME_CUE.finditer(said.text):
        weak = english.WEAK_NAME_CUE.match(match[0]) is not None
        if (name := _name(match[1], weak)) and len(name) > 1:
            yield name, (match.start(1), match.start(1) + len(name))
    if said.is_asked(parameter):
        answer = english.LEAD_IN.sub("", said.left())
        yield _name(answer, False), said.whole


def _name(text: str, capitals: bool) -> str | None:
    """Up to four words that can be a name; None when the first one cannot."""
    words: list[str] = []
    for word in re.findall(r"[^\W\d_][\w'-]*|[.,;!?\d]", text)[:_NAME_WORDS_AT_MOST]:
        if (
            not word[0].isalpha()
            or word.lower() in english.NOT_A_NAME
            or (capitals and not word[0].isupper())
        ):
            break
        words.append(word if word[0].isupper() else word.capitalize())
    return " ".join(words) or None


def short(parameter: Parameter, said: Utterance) -> Found:
    text, words = said.left(), set(parameter.words)
    noun = r"((?:[^\W\d_][\w'-]*)(?:\s+[^\W\d_][\w'-]*){0,3})"
    cues: list[str] = []
    if words & english.PLACE_NAMES:
        preposition = next(
            (cue for name, cue in english.PLACE_CUES.items() if name in words), "in|at|to|from|near|for"
        )
        cues.append(rf"\b(?:{preposition})\s+([A-Z]\w+(?:\s[A-Z]\w+)*)")
    if words & english.GOODS_NAMES:
        amounts = [each.span for each in quantities(said.text)]
        cues += [rf"^.{{{end}}}\s+(?:of the |of |more )?{noun}" for _, end in amounts]
        cues.append(rf"\b(?:{english.ACQUIRE})\s+(?:a|an|the|some|another|one more)\s+{noun}")
    if parameter.words:
        cues.append(
            rf"\b{re.escape(say_name(parameter.name))}(?:\s+(?:is|to|as|called|should be)|:)\s+{noun}"
        )
    for cue in cues:
        for match in re.finditer(cue, text, 0 if words & english.PLACE_NAMES else re.IGNORECASE):
            if phrase := _until_stop(match[1]):
                yield phrase, (match.start(1), match.start(1) + len(phrase))
    if said.is_asked(parameter):
        answer = english.LEAD_IN.sub("", text).strip(" .!?,")
        yield (answer or None), said.whole


def _until_stop(phrase: str) -> str:
    words: list[str] = []
    for word in phrase.split():
        if word.lower() in english.STOP_WORDS:
            break
        words.append(word)
    return " ".join(words)


def texts(parameter: Parameter, said: Utterance, tool: Tool) -> Found:
    if said.is_asked(parameter):
        answer = english.TEXT_LEAD_IN.sub("", said.text).strip()
        if set(meanings(answer)) - set(meanings(say_name(tool.name))) or re.search(r"\d", answer):
            yield answer.rstrip(" ,"), said.whole
        return
    if "address" in parameter.words:
        for match in re.finditer(
            r"\b(?:address (?:is|to|should be)|to|at)\s+(\d{1,5}\s+[^\W\d].+)$", said.text
        ):
            yield match[1].rstrip(" ."), match.span(1)
        for match in re.finditer(r"\baddress is\s+(.+)$", said.text, re.IGNORECASE):
            yield match[1].rstrip(" ."), match.span(1)
        return
    for cue in (english.WISH_CUE, english.REASON_CUE):
        if reason := cue.search(said.text):
            yield reason[1].rstrip(" ."), reason.span(1)
            return
    clauses = _other_clauses(said, tool)
    if len(" ".join(clauses).split()) >= 3:
        yield ". ".join(clauses), said.whole


def _other_clauses(said: Utterance, tool: Tool) -> list[str]:
    """The clauses that say neither which tool is meant nor a value that was already taken."""
    intent = {stem(word) for word in split_name(tool.name)}
    clauses: list[str] = []
    start = 0
    for end, following in [
        *(match.span() for match in english.CLAUSE_END.finditer(said.text)),
        (len(said.text),) * 2,
    ]:
        clause = said.text[start:end].strip()
        if clause and said.free((start, end)) and meanings(clause) and not intent & stems(clause):
            clauses.append(clause)
        start = following
    return clauses
