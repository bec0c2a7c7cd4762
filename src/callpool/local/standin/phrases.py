"""Values that are words rather than numbers: names of people, a word or a few, and whole clauses."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from callpool.local.standin import english
from callpool.local.standin.offered import Parameter, Tool
from callpool.local.standin.spoken import Span, digit_runs, quantities
from callpool.local.standin.utterance import Found, Utterance
from callpool.local.standin.words import meanings, say_name, split_name, stem, stems
from callpool.number_words import TEENS, TENS, UNITS

_NAME_WORDS_AT_MOST = 4
_BARE_WORDS_AT_MOST = 6
_ALIKE = 0.6
"""How alike two spellings of a word must be to be the same word."""
_TITLES = re.compile(rf"^\W*(?:(?:{'|'.join(sorted(english.TITLES))})\b[\s.]*)+", re.IGNORECASE)
_SPELLED = re.compile(r"(?<![\w'])[^\W\d_](?:-[^\W\d_]){2,}\b|(?<![\w'])[^\W\d_](?:[. ]+[^\W\d_]\b){2,}\.?")
_NO_STREET = (
    r"(?!(?:and|or|but|on|in|for|my|i|i'm|under|is|was|from|with|so|it|it's|that|which|where|when|to|at|by|not|"
    r"no|please|thanks|today|tomorrow|days?|weeks?|hours?|minutes?|dollars?|euros?|o'clock|am|pm|times?|of)\b)"
)
"""What a number is followed by when it is no house number."""
_COUNTED = "|".join([*UNITS, *TEENS, *TENS])
_HOUSE = rf"(?:\d{{1,5}}[a-z]?|(?:{_COUNTED})(?:[ -](?:{_COUNTED})){{0,3}}(?![\s,-]+(?:{_COUNTED})\b))"
"""A house number, in digits or in words; more words than that read out a longer number."""
_ADDRESS = re.compile(
    r"\b(?:address(?: of(?: my| the)? order[\d\s]*| for(?: my| the)? order[\d\s]*)?"
    r"(?: is| to| should be| would be|:)(?: now| actually)?|"
    r"(?:send|ship|deliver|change|moved?|redirect)\b[^.!?]*? (?:to|at)|live (?:at|in))\s+(?:be )?"
    rf"({_HOUSE}\s+{_NO_STREET}[^\W\d].+)$",
    re.IGNORECASE,
)
_NUMBER_FIRST = re.compile(
    rf"\b(?:to|at|it(?:'s| is)(?: now)?(?: at)?)\s+(?:be )?({_HOUSE}\s+{_NO_STREET}[^\W\d].+)$",
    re.IGNORECASE,
)
_STREET_FIRST = re.compile(
    r"\b(?:address[^.!?]*? (?:is|to|should be)|(?:to|at|is|in|on))\s+(?:now )?"
    r"((?:[^\W\d_][\w'.-]*\s){1,3}\d{1,4}[a-z]?\b(?!\s*(?:,\s*)?\d).*)$"
)
"""A street before its number: "Hill Road 7, Franklin", "Lindenweg 3 in Bonn"."""
_ADDRESS_IS = re.compile(
    r"(?<!which )(?<!what )\baddress\s+(?:is|to|should be|:)\s+(?:now )?(?!(?:my |the )?order\b)(.+)$",
    re.IGNORECASE,
)
_ADDRESS_END = re.compile(
    rf"[!?;]|{''.join(rf'(?<! {short})' for short in english.STREET_ABBREVIATIONS)}\.(?=\s|$)|"
    r",?\s+(?:and |for |on |of |it'?s )*(?:my |the )?(?:name(?: is|'s)|order(?: number)?\b(?=[\s:is]*\d))|"
    r",?\s+(?:and )?(?-i:(?:this is|it is|I am|I'm|it's|for)\s+[A-Z])",
    re.IGNORECASE,
)
"""Where the caller goes on to something else."""
_BARE_ADDRESS = re.compile(
    r"^\W*(?i:(?:no|yes|sorry|wait|actually|i mean|i meant|oh|make it|make that|it'?s|it is|please|rather|"
    r"change it to|to)\W+)*"
    r"(\d{1,4}[a-z]?\s+[A-Z][\w'-]+\s.+|[A-Z][\w'-]+(?:\s[A-Z][\w'-]+){0,2}\s\d{1,4}[a-z]?,?\s(?:in\s)?[^\W\d].+)$"
)
_A_TEXT = 3
"""Words with a meaning that a text has which begins with a yes: "Yes, that is right" is none."""
_NEEDS_PAIR = re.compile(r"^(?:for|it'?s|it is|that'?s|that is|you have)\b", re.IGNORECASE)
"""After these a single word with a capital letter is more often a thing than a person."""


def addresses(text: str) -> Found:
    """Postal addresses that are said as such."""
    for pattern in (_ADDRESS, _NUMBER_FIRST, _STREET_FIRST, _ADDRESS_IS):
        for match in pattern.finditer(text):
            address = _up_to_its_end(match[1])
            words = re.findall(r"[^\W\d_]+", address.lower())
            telling = [word for word in words if word not in english.STOP_WORDS]
            is_street = pattern is not _STREET_FIRST or address[:1].isupper()
            if telling and is_street and len(address.split()) >= 2:
                yield address, (match.start(1), match.start(1) + len(address))


def _up_to_its_end(text: str) -> str:
    end = _ADDRESS_END.search(text)
    return re.sub(
        r"[\s,.]*(?:\b(?:please|thanks|thank you|instead|from now on|now)\b[\s,.]*)+$",
        "",
        text[: end.start()] if end else text,
        flags=re.IGNORECASE,
    ).rstrip(" .?!,")


def without_address(text: str) -> str:
    """The text with a comma for each address: its numbers are no others."""
    for address, (start, end) in addresses(text):
        if re.match(rf"\D*\d|(?:{_COUNTED})\b", str(address), re.IGNORECASE) and _is_address(text[start:end]):
            text = text[:start] + ",".ljust(end - start) + text[end:]
    return text


def _is_address(text: str) -> bool:
    """Whether a number comes with a street, and not with the word for what it is the number of."""
    return re.search(r"[^\W\d_]{3,}", text) is not None


def names(parameter: Parameter, said: Utterance) -> Found:
    fluent = english.FILLERS.sub(lambda filler: " " * len(filler[0]), said.text)
    text, spelt = _despelled(without_digits(fluent))
    found: list[tuple[str, Span]] = []
    for match in english.FIRST_AND_LAST.finditer(text):
        found.append((f"{match[1].capitalize()} {match[2].capitalize()}", match.span()))
    for match in english.NAME_AFTER_CUE.finditer(text):
        if name := _name(match[1], True):
            found.append((name, match.span(1)))
    for match in english.NAME_CUE.finditer(text):
        weak = english.WEAK_NAME_CUE.match(match[0]) is not None
        name = _name(match[1], weak)
        if name and len(name) > 1 and (" " in name or not _NEEDS_PAIR.match(match[0])):
            found.append((name, (match.start(1), match.start(1) + len(name))))
    if said.is_asked(parameter) and (name := _bare(text, found)):
        found.append((name, said.whole))
    elif not found:
        found += _between_commas(text)
    if spelt:
        before = found[-1][0] if found else ""
        at = _SPELLED.search(said.text)
        yield _with_spelling(before, spelt), at.span() if at else said.whole
    yield from sorted(found, key=lambda each: -len(each[0].split()))


def _between_commas(text: str) -> list[tuple[str, Span]]:
    """First and last name between commas or full stops, beside something else: "12345, James Miller"."""
    parts = list(re.finditer(r"[^,.;!?]+", text))
    found: list[tuple[str, Span]] = []
    for part in parts if len(parts) > 1 else []:
        words = part[0].split()
        name = _name(part[0].strip(), True) or ""
        if 2 <= len(words) <= 3 and len(name.split()) == len(words):
            found.append((name, part.span()))
    return found


def _bare(text: str, found: list[tuple[str, Span]]) -> str | None:
    """A name that stands alone, as the answer to a question for it."""
    answer = english.LEAD_IN.sub("", text).strip(" ,.!?")
    if found or len(re.findall(r"[^\W\d_]+", answer)) > _BARE_WORDS_AT_MOST:
        return None
    return _name(answer, False)


def without_digits(text: str) -> str:
    """The text without the numbers that were read out."""
    for run in reversed(digit_runs(text)):
        start, end = run.span
        text = text[:start] + ", ".ljust(end - start)[: end - start] + text[end:]
    return text


def _despelled(text: str) -> tuple[str, list[str]]:
    """The text without words that were spelled, and those words: `M-I-L-L-E-R` is Miller."""
    spelt = [re.sub(r"\W", "", match[0]).capitalize() for match in _SPELLED.finditer(text)]
    return _SPELLED.sub(lambda match: ",".ljust(len(match[0])), text), spelt


def _with_spelling(name: str, spelt: list[str]) -> str:
    """The name with what was spelled in the place of the word that it corrects."""
    if len(spelt) > 1:
        return " ".join(spelt)
    words = name.split()
    for index in reversed(range(len(words))):
        if SequenceMatcher(None, words[index].lower(), spelt[0].lower()).ratio() >= _ALIKE:
            return " ".join([*words[:index], spelt[0], *words[index + 1 :]])
    return " ".join([*words[:1], spelt[0]])


def _name(text: str, capitals: bool) -> str | None:
    """Up to four words that can be a name; None when the first one cannot."""
    text = _TITLES.sub("", text)
    if again := re.match(r"^(\w+), ((?:\w+ )+\1)\b", text):
        text = again[2]
    words: list[str] = []
    for word in re.findall(r"[^\W\d_][\w'-]*|[.,;!?\d]", text):
        if (
            not word[0].isalpha()
            or word.lower() in english.NOT_A_NAME
            or (capitals and not word[0].isupper())
            or len(words) == _NAME_WORDS_AT_MOST
        ):
            break
        words.append(word if word[0].isupper() else word.capitalize())
    return " ".join(words).removesuffix("'s") or None


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
        cues.append(rf"\b(?:{english.ACQUIRE})\s+(?={noun})")
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
        if "address" in parameter.words:
            yield from addresses(said.text)
        if english.YES.search(said.text.lower()) and len(meanings(said.text)) < _A_TEXT:
            return
        answer = english.TEXT_LEAD_IN.sub("", said.text).strip()
        if set(meanings(answer)) - set(meanings(say_name(tool.name))) or re.search(r"\d", answer):
            yield answer.rstrip(" ,"), said.whole
        return
    if "address" in parameter.words:
        yield from addresses(said.text)
        for match in _BARE_ADDRESS.finditer(said.text):
            address = _up_to_its_end(match[1])
            yield address, (match.start(1), match.start(1) + len(address))
        return
    for cue in (english.WISH_CUE, english.REASON_CUE):
        if reason := cue.search(said.text):
            # A reason may name the person that is wanted: their number stays in it.
            yield reason[1].rstrip(" ."), (reason.span(1) if said.free(reason.span(1)) else (0, 0))
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
        clause = english.GREETING.sub("", said.text[start:end].strip()).strip()
        if clause and said.free((start, end)) and meanings(clause) and not intent & stems(clause):
            clauses.append(clause)
        start = following
    return clauses
