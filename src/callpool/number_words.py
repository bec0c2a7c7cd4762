"""The words for numbers in English, German and Spanish, and what each is worth.

They stand in one place because what is understood as a digit must also be hidden as one. The first of
several spellings is the usual one. Words stand as `fold` gives them: in small letters, without accents.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

UNITS = {
    "zero": 0,
    "oh": 0,
    "o": 0,
    "nought": 0,
    "nil": 0,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "niner": 9,
}
TEENS = {
    "ten": 10,
    "eleven": 11,
    "twelve": 12,
    "thirteen": 13,
    "fourteen": 14,
    "fifteen": 15,
    "sixteen": 16,
    "seventeen": 17,
    "eighteen": 18,
    "nineteen": 19,
}
TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fourty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
REPEATS = {"double": 2, "triple": 3, "treble": 3}
"""How often the digit that follows is meant."""
SOUNDS_LIKE = {"to": 2, "too": 2, "for": 4, "fore": 4, "ate": 8, "won": 1, "tree": 3, "fife": 5}
"""Words that speech-to-text writes for a digit; they count only between digits."""


@dataclass(frozen=True)
class NumberWords:
    """The number words of one language."""

    units: Mapping[str, int]
    teens: Mapping[str, int]
    """Two digits that take no unit after them: 10 to 19, in Spanish also 21 to 29."""
    tens: Mapping[str, int]
    scales: Mapping[str, int]
    repeats: Mapping[str, int]
    joint: str
    """The word for "and"."""
    hundreds: Mapping[str, int] = field(default_factory=dict)
    """Hundreds that are one word."""
    articles: frozenset[str] = frozenset()
    """"One" only before the joint or a scale, else an article."""
    sounds_like: Mapping[str, int] = field(default_factory=dict)
    unit_first: bool = False
    """Whether the unit stands before its tens."""
    compounds: bool = False
    """Whether number words are written together."""

    def digits_in(self) -> dict[str, int]:
        """Every word, and how many digits it adds to the number that it is part of."""
        return (
            dict.fromkeys(self.units, 1)
            | dict.fromkeys((*self.teens, *self.tens), 2)
            | dict.fromkeys(self.hundreds, 3)
            | {word: len(str(scale)) - 1 for word, scale in self.scales.items()}
            | {word: times - 1 for word, times in self.repeats.items()}
        )


ENGLISH = NumberWords(
    units=UNITS,
    teens=TEENS,
    tens=TENS,
    scales=SCALES,
    repeats=REPEATS,
    joint="and",
    sounds_like=SOUNDS_LIKE,
)
GERMAN = NumberWords(
    units={
        "null": 0,
        "eins": 1,
        "zwei": 2,
        "zwo": 2,
        "drei": 3,
        "vier": 4,
        "funf": 5,
        "fuenf": 5,
        "sechs": 6,
        "sieben": 7,
        "acht": 8,
        "neun": 9,
    },
    teens={
        "zehn": 10,
        "elf": 11,
        "zwolf": 12,
        "zwoelf": 12,
        "dreizehn": 13,
        "vierzehn": 14,
        "funfzehn": 15,
        "fuenfzehn": 15,
        "sechzehn": 16,
        "siebzehn": 17,
        "achtzehn": 18,
        "neunzehn": 19,
    },
    tens={
        "zwanzig": 20,
        "dreissig": 30,
        "dreizig": 30,
        "vierzig": 40,
        "funfzig": 50,
        "fuenfzig": 50,
        "sechzig": 60,
        "siebzig": 70,
        "achtzig": 80,
        "neunzig": 90,
    },
    scales={"hundert": 100, "tausend": 1000},
    repeats={
        "doppel": 2,
        "doppelt": 2,
        "doppelte": 2,
        "zweimal": 2,
        "dreifach": 3,
        "dreifache": 3,
        "dreimal": 3,
    },
    joint="und",
    articles=frozenset({"ein", "eine"}),
    unit_first=True,
    compounds=True,
)
SPANISH = NumberWords(
    units={
        "cero": 0,
        "uno": 1,
        "dos": 2,
        "tres": 3,
        "cuatro": 4,
        "cinco": 5,
        "seis": 6,
        "siete": 7,
        "ocho": 8,
        "nueve": 9,
    },
    teens={
        "diez": 10,
        "once": 11,
        "doce": 12,
        "trece": 13,
        "catorce": 14,
        "quince": 15,
        "dieciseis": 16,
        "diecisiete": 17,
        "dieciocho": 18,
        "diecinueve": 19,
        "veintiuno": 21,
        "veintiun": 21,
        "veintiuna": 21,
        "veintidos": 22,
        "veintitres": 23,
        "veinticuatro": 24,
        "veinticinco": 25,
        "veintiseis": 26,
        "veintisiete": 27,
        "veintiocho": 28,
        "veintinueve": 29,
    },
    tens={
        "veinte": 20,
        "treinta": 30,
        "cuarenta": 40,
        "cincuenta": 50,
        "sesenta": 60,
        "setenta": 70,
        "ochenta": 80,
        "noventa": 90,
    },
    scales={"mil": 1000},
    repeats={"doble": 2, "triple": 3},
    joint="y",
    hundreds={
        "cien": 100,
        "ciento": 100,
        "doscientos": 200,
        "doscientas": 200,
        "trescientos": 300,
        "trescientas": 300,
        "cuatrocientos": 400,
        "cuatrocientas": 400,
        "quinientos": 500,
        "quinientas": 500,
        "seiscientos": 600,
        "seiscientas": 600,
        "setecientos": 700,
        "setecientas": 700,
        "ochocientos": 800,
        "ochocientas": 800,
        "novecientos": 900,
        "novecientas": 900,
    },
    articles=frozenset({"un", "una"}),
)
LANGUAGES = {"en": ENGLISH, "de": GERMAN, "es": SPANISH}


def fold(word: str) -> str:
    """A word as it stands in the tables: small letters, no accents."""
    plain = unicodedata.normalize("NFD", word.casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
