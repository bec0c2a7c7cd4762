"""Whether something was said: words compared as a listener would, not letter by letter."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal

from callpool.number_words import REPEATS, SCALES, TEENS, TENS, UNITS

OTHER_DIGITS = {
    word: value
    for words in (
        "null eins zwei drei vier fünf sechs sieben acht neun",
        "cero uno dos tres cuatro cinco seis siete ocho nueve",
    )
    for value, word in enumerate(words.split())
}
"""Digits as they are read out in German and in Spanish."""
SMALL = UNITS | TEENS | TENS | OTHER_DIGITS | {"zwo": 2}
ONLY_BESIDE_DIGITS = frozenset({"o", "oh", "nil", "null"})
"""Words that are digits in a row of digits and something else everywhere else."""

INFLECTED = 4
"""Letters from which on a last word may stand with an ending of its own: `deliver`, `delivered`."""

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)*|[.!?;:](?=\s|$)")
_DOLLARS = re.compile(r"\$\s?(\d[\d.,]*\d|\d)")
_CENTS = re.compile(r"\b(\d+) dollars?(?: and)? (\d{1,2}) cents?\b")


def as_pattern(words: str) -> re.Pattern[str] | None:
    """The regular expression of a text between slashes; None for any other text. Raises re.error."""
    if len(words) > 2 and words.startswith("/") and words.endswith("/"):
        return re.compile(words[1:-1], re.IGNORECASE | re.DOTALL)
    return None


def is_said(words: str, text: str) -> bool:
    """Whether `words` stand in `text`.

    Case and punctuation do not count, and numbers may be words or digits. The words must begin where a word
    begins; the last one may carry an ending of up to three letters. Between slashes they are a regular
    expression, looked for in the text as it is and in the text with its numbers in digits. Punctuation alone
    is looked for as it stands.
    """
    if (pattern := as_pattern(words)) is not None:
        return any(pattern.search(form) for form in (text, *forms(text)))
    if not re.search(r"\w", words):
        return words in text
    return any(_within(wanted, form) for wanted in forms(words) for form in forms(text))


def same(wanted: str, actual: str) -> bool:
    """Whether a text is the one wanted, stands in it as whole words, or has the same digits.

    A text of digits must match digit by digit.
    """
    if (pattern := as_pattern(wanted)) is not None:
        return any(pattern.search(form) for form in (actual, *forms(actual)))
    if wanted.strip().casefold() == actual.strip().casefold():
        return True
    if (digits := _digits(wanted)) is not None:
        return digits == "".join(re.findall(r"\d", forms(actual)[-1]))
    return bool(wanted.strip()) and any(
        re.search(rf"(?<!\S){re.escape(form)}(?!\S)", given)
        for form in forms(wanted)
        if form
        for given in forms(actual)
    )


def forms(text: str) -> tuple[str, ...]:
    """The text in small letters without punctuation and with its numbers in digits, in three ways.

    Numbers as they stand; single digits that follow one another joined; all that follow one another joined.
    """
    tokens = list(_with_numbers(_tokens(text)))
    return tuple(_tidy(_joined(tokens, longest)) for longest in (0, 1, 99))


def _within(wanted: str, text: str) -> bool:
    if not wanted:
        return False
    last = wanted.rpartition(" ")[2]
    ending = r"\w{0,3}(?!\w)" if len(last) >= INFLECTED and last.isalpha() else r"(?!\w)"
    return re.search(rf"(?<![\w.]){re.escape(wanted)}{ending}", text) is not None


def _digits(text: str) -> str | None:
    """The digits of a text that is nothing else."""
    joined = forms(text)[-1]
    return joined if joined.isdecimal() else None


def _tokens(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return _TOKEN.findall(_DOLLARS.sub(r"\1 dollars", plain))


def _with_numbers(tokens: Sequence[str]) -> Iterator[str]:
    """The same with number words as digits."""
    index = 0
    while index < len(tokens):
        word = tokens[index]
        if word[0].isdecimal():
            yield _numeral(word)
            index += 1
            continue
        times = REPEATS.get(word, 0)
        if times and index + 1 < len(tokens) and (digit := _single(tokens[index + 1])) is not None:
            yield from [digit] * times
            index += 2
            continue
        if word in ONLY_BESIDE_DIGITS and not _beside_digit(tokens, index):
            yield word
            index += 1
            continue
        value, used = _number(tokens, index)
        yield word if not used else str(value)
        index += used or 1


def _number(tokens: Sequence[str], start: int) -> tuple[int, int]:
    """The number that begins at `start` and how many words it takes; 0 words when there is none."""
    value, used = _below_hundred(tokens, start)
    if not used:
        return 0, 0
    total = 0
    while True:
        scale = SCALES.get(tokens[start + used]) if start + used < len(tokens) else None
        if scale is None:
            return total + value, used
        used += 1
        total, value = (total, value * scale) if scale == 100 else ((total + value) * scale, 0)
        skip = 1 if start + used < len(tokens) and tokens[start + used] == "and" else 0
        more, words = _below_hundred(tokens, start + used + skip)
        if not words:
            return total + value, used
        value += more
        used += skip + words


def _below_hundred(tokens: Sequence[str], start: int) -> tuple[int, int]:
    if start >= len(tokens) or (value := SMALL.get(tokens[start])) is None:
        return 0, 0
    if tokens[start] in TENS and start + 1 < len(tokens) and (unit := UNITS.get(tokens[start + 1])):
        return value + unit, 2
    return value, 1


def _single(word: str) -> str | None:
    if word.isdecimal() and len(word) == 1:
        return word
    value = SMALL.get(word)
    return str(value) if value is not None and value < 10 else None


def _beside_digit(tokens: Sequence[str], index: int) -> bool:
    around = [*tokens[max(0, index - 1) : index], *tokens[index + 1 : index + 2]]
    return any(_single(word) is not None or word in REPEATS or word in TENS for word in around)


def _numeral(text: str) -> str:
    """`12,345` and `89.00` as 12345 and 89; `1,2,3` stays a row of digits."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", text):
        text = text.replace(",", "")
    if re.fullmatch(r"\d+\.\d+", text):
        return f"{Decimal(text).normalize():f}"
    return re.sub(r"[.,]", " ", text)


def _joined(tokens: Sequence[str], longest: int) -> list[str]:
    """The tokens, with neighbouring whole numbers of at most `longest` digits made one."""
    out: list[str] = []
    open_run = False
    for part in " ".join(tokens).split():
        if part in ".!?;:":
            open_run = False
            continue
        joins = part.isdecimal() and len(part) <= longest
        if joins and open_run:
            out[-1] += part
        else:
            out.append(part)
        open_run = joins
    return out


def _tidy(tokens: Sequence[str]) -> str:
    return _CENTS.sub(lambda match: f"{_numeral(f'{match[1]}.{int(match[2]):02}')} dollars", " ".join(tokens))
