"""Values as a voice says them: numbers digit by digit, money in full, dates as words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime

from callpool.local.standin import english
from callpool.local.standin.calendar import say_date, say_time
from callpool.local.standin.words import meanings, say_name, split_name

_FACTS_AT_MOST = 5
_LISTED_AT_MOST = 3
_ISO_TIME = re.compile(
    r"\b(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}):(\d{2})(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?\b"
)
_MONEY = re.compile(r"\$(\d{1,15})(?:\.(\d{2}))?\b")


def named(facts: Mapping[str, object], question: str) -> dict[str, object]:
    asked = set(meanings(question))
    return {name: fact for name, fact in facts.items() if fact and asked & set(meanings(say_name(name)))}


def say_facts(facts: Mapping[str, object]) -> str:
    return " ".join(_fact(name, fact) for name, fact in list(facts.items())[:_FACTS_AT_MOST])


def _fact(name: str, fact: object) -> str:
    spoken_name = " ".join(word for word in split_name(name) if word != "usd")
    match fact:
        case True:
            return sentence(f"{spoken_name}: yes")
        case False:
            return sentence(f"{spoken_name}: no")
        case list() as entries if all(isinstance(entry, Mapping) for entry in entries):
            return sentence(say_value(name, fact))
        case Mapping() as inner:
            return " ".join(
                _fact(f"{name}_{key}", each) for key, each in list(inner.items())[:_FACTS_AT_MOST]
            )
    plural = spoken_name.endswith("s") and not spoken_name.endswith(("ss", "us"))
    verb = "are" if plural or (isinstance(fact, list) and len(fact) > 1) else "is"
    return sentence(f"the {spoken_name} {verb} {say_value(name, fact)}")


def say_value(name: str, value: object, language: str = "en") -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            words = split_name(name)
            if set(words) & {"usd", "price", "total"} and "usd" in words:
                return _money(float(value))
            return (
                say_digits(str(value))
                if set(words) & english.DIGIT_NAMES
                else f"{value:g}"
                if isinstance(value, float)
                else str(value)
            )
        case str():
            if set(split_name(name)) & english.DIGIT_NAMES and re.fullmatch(r"\+?\d+", value):
                return " ".join(value.replace("+", "")) if len(value) > 1 else value
            return say_digits(value.replace("_", " "), language)
        case list() as entries if entries and all(isinstance(entry, Mapping) for entry in entries):
            first = [
                ", ".join(say_value(key, each) for key, each in entry.items() if each not in (None, ""))
                for entry in entries
            ]
            more = len(entries) - _LISTED_AT_MOST
            return ". ".join(first[:_LISTED_AT_MOST]) + (f". And {more} more" if more > 0 else "")
        case list() as entries:
            spoken = [say_value(name, entry) for entry in entries]
            return f"{', '.join(spoken[:-1])} and {spoken[-1]}" if len(spoken) > 1 else "".join(spoken)
        case Mapping() as inner:
            return ", ".join(f"{say_name(key)} {say_value(key, each)}" for key, each in inner.items())
    return str(value)


def _money(usd: float) -> str:
    dollars, cents = divmod(round(usd * 100), 100)
    return f"{dollars} dollars{f' and {cents} cents' if cents else ''}"


def say_digits(text: str, language: str = "en") -> str:
    """The text as a voice should read it: dates as words, money in full, long numbers digit by digit."""
    text = _ISO_TIME.sub(lambda match: _spoken_time(match, language), text)
    text = _MONEY.sub(lambda match: _money(float(f"{match[1]}.{match[2] or 0}")), text)
    text = re.sub(r"(?<![\w.,])\+?(\d{5,})(?![\w]|[.,]\d)", lambda match: " ".join(match[1]), text)
    return re.sub(r"\s+", " ", text).strip()


def _spoken_time(match: re.Match[str], language: str) -> str:
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2] or '00'}:{match[3] or '00'}")
    except ValueError:
        return match[0]
    day = say_date(date(moment.year, moment.month, moment.day), language)
    if not match[2]:
        return day
    at = {"de": "um", "es": "a las"}.get(language, "at")
    return f"{day} {at} {say_time(moment.hour, moment.minute, language)}"


def sentence(words: str) -> str:
    words = words.strip()
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words[-1] in ".!?" else ".")
