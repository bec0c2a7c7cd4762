"""Days and times of day, as people say them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from callpool.local.standin import english
from callpool.local.standin.spoken import Span
from callpool.local.standin.words import RECENT

_MONTH = "|".join(f"{month}|{month[:3]}" for month in english.MONTHS)
_ORDINAL = "|".join(word.replace("-", "[- ]") for word in sorted(english.ORDINALS, key=len, reverse=True))
_DAY_NUMBER = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|{_ORDINAL})"
_DATE = re.compile(
    rf"\b(?P<iso>\d{{4}}-\d{{2}}-\d{{2}})\b"
    rf"|\b(?P<month>{_MONTH})\.? (?:the )?(?P<day>{_DAY_NUMBER})\b"
    rf"|\b(?:the )?(?P<day2>{_DAY_NUMBER})(?: of)? (?P<month2>{_MONTH})\b"
    rf"|\b(?P<word>the day after tomorrow|day after tomorrow|today|tonight|tomorrow)\b"
    rf"|\b(?:(?P<next>next|this|coming) )?(?P<weekday>{'|'.join(english.WEEKDAYS)})\b",
    re.IGNORECASE,
)
_HOURS = {word: hour for word, hour in (english.UNITS | english.TEENS).items() if 1 <= hour <= 12}
_HOUR = "|".join(_HOURS)
_TIME = re.compile(
    rf"\b(?P<hour>\d{{1,2}})[:.](?P<minute>\d{{2}})\s*(?P<half>[ap]\.?m\b\.?)?"
    rf"|\b(?:at )?(?P<hour2>\d{{1,2}}|{_HOUR})(?: (?P<minute2>fifteen|thirty|forty-five|forty five))?\s*"
    rf"(?P<half2>[ap]\.?\s?m\b\.?|o'?\s?clock)"
    rf"|\b(?P<part>half[- ]past|quarter[- ]past|quarter[- ]to)[- ](?P<hour3>\d{{1,2}}|{_HOUR})\b"
    rf"|\b(?P<word>noon|midday|midnight)\b"
    rf"|\bat (?P<hour4>\d{{1,2}}|{_HOUR})\b(?! (?:people|persons|guests|degrees|percent|o))",
    re.IGNORECASE,
)
_MONTHS = {
    "de": (". ", "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    "es": (
        " de ",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    ),
}
"""What stands between day and month, and the months."""
_MINUTES = {"fifteen": 15, "thirty": 30, "forty-five": 45, "forty five": 45}


@dataclass(frozen=True)
class Day:
    words: str
    day: date
    span: Span


@dataclass(frozen=True)
class TimeOfDay:
    words: str
    minutes: int
    """Since midnight."""
    span: Span


@lru_cache(RECENT)
def days(text: str, today: date) -> tuple[Day, ...]:
    """The days named in a text; a weekday or a date without a year is the next one from today."""
    found: list[Day] = []
    for match in _DATE.finditer(text):
        try:
            day = _day(match, today)
        except ValueError:
            continue
        words = re.sub(r"^(the|this|coming) ", "", match[0], flags=re.IGNORECASE)
        found.append(Day(words, day, match.span()))
    return tuple(found)


def _day(match: re.Match[str], today: date) -> date:
    if match["iso"]:
        return date.fromisoformat(match["iso"])
    if word := match["word"]:
        ahead = {"today": 0, "tonight": 0, "tomorrow": 1}
        return today + timedelta(days=ahead.get(word.lower(), 2))
    if weekday := match["weekday"]:
        ahead_days = (english.WEEKDAYS.index(weekday.lower()) - today.weekday()) % 7 or 7
        return today + timedelta(days=ahead_days)
    name = (match["month"] or match["month2"]).lower()
    month = next(number for number, full in enumerate(english.MONTHS, 1) if full.startswith(name))
    said = (match["day"] or match["day2"]).lower()
    number = int(re.sub(r"\D", "", said)) if said[0].isdigit() else english.ORDINALS[said.replace(" ", "-")]
    day = date(today.year, month, number)
    return day if day >= today else date(today.year + 1, month, number)


def times(text: str) -> Iterator[TimeOfDay]:
    """The times of day in a text: `7 pm`, `half past six`, `19:30`, `noon`, `at seven`."""
    for match in _TIME.finditer(text):
        minutes = _minutes(match)
        if 0 <= minutes < 24 * 60:
            words = re.sub(r"^at ", "", match[0], flags=re.IGNORECASE)
            yield TimeOfDay(words.strip().rstrip("."), minutes, match.span())


def _minutes(match: re.Match[str]) -> int:
    if word := match["word"]:
        return 0 if word.lower() == "midnight" else 12 * 60
    said = (match["hour"] or match["hour2"] or match["hour3"] or match["hour4"]).lower()
    hour = int(said) if said.isdigit() else _HOURS[said]
    minute = int(match["minute"] or _MINUTES.get((match["minute2"] or "").lower(), 0))
    half = (match["half"] or match["half2"] or "").lower()
    if half.startswith("p") and hour < 12:
        hour += 12
    elif half.startswith("a") and hour == 12:
        hour = 0
    match (match["part"] or "").lower().replace("-", " "):
        case "half past":
            minute = 30
        case "quarter past":
            minute = 15
        case "quarter to":
            minute = -15
    return hour * 60 + minute


def say_date(day: date, language: str = "en") -> str:
    """`December 2nd`, `2. Dezember`, `2 de diciembre`."""
    if language in _MONTHS:
        return f"{day.day}{_MONTHS[language][0]}{_MONTHS[language][1].split()[day.month - 1]}"
    suffix = "th" if 11 <= day.day % 100 <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day.day % 10, "th")
    return f"{english.MONTHS[day.month - 1].capitalize()} {day.day}{suffix}"


def say_time(hour: int, minute: int, language: str = "en") -> str:
    """`7 30 p.m.`, as a voice reads it."""
    if language in _MONTHS:
        return f"{hour}:{minute:02d}"
    half = "a.m." if hour < 12 else "p.m."
    return f"{hour % 12 or 12}{f' {minute:02d}' if minute else ''} {half}"
