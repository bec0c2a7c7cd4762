"""Which of a few languages a sentence is in, and whether that is enough to go by.

Names ("María de la Cruz"), numbers and single words are no evidence: they occur in every language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lingua import Language, LanguageDetector, LanguageDetectorBuilder

from callpool.number_words import LANGUAGES as NUMBERS
from callpool.number_words import fold

SURE = 0.8
"""The confidence (0 to 1) from which on a whole sentence changes the language of a call."""
LIKELY = 0.6
"""The same while the call has none yet."""

WHOLE_WORDS = 4
"""A sentence with fewer words is no whole one."""
WHOLE_ORDINARY = 2
"""Nor is one with fewer words that are neither names nor numbers."""
CLEAR_COMMON = 3
"""So many common words of one language, and half as many of any other, speak for it by themselves."""

GREETINGS = {
    "en": frozenset({"hello", "hi", "hey"}),
    "de": frozenset({"hallo", "guten", "moin", "servus"}),
    "es": frozenset({"hola", "buenos", "buenas"}),
}
"""Words that a call begins with, each in one language only. By themselves they are too short to identify."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


COMMON = {
    "en": _set(
        """a an and are at be but buy call calling can cancel change could did do does for from have
        he hello help how i if in is it like me my name need no not number of on one or order orders
        please send she so that the they this to two want was we were what when where which who why
        will with would yes you your"""
    ),
    "de": _set(
        """aber anrufen auch auf bei bestellen bestellt bestellung bin bitte da das dass dem den der
        die du ein eine einen er es für guten haben habe hallo hat ich im in ist ja kann kaufen
        können mein meine meinen mit möchte nach nein nicht noch oder sie sind so stornieren und uns
        von wann war was wer wie wir wo zu"""
    ),
    "es": _set(
        """a al algo aquí cancelar como comprar cómo con cuando cuándo de del donde dónde el ella en
        es esta está este esto favor gracias ha hay he hola la las llamo lo los me mi mis muy más
        necesito no o para pedido pero por puede puedo que qué quiero se si sí su tengo un una usted
        y ya yo"""
    ),
}
"""The words that a language cannot do without. They overrule the models, which a name or a term can mislead:
"the order was for a desk lamp" is German to them."""

_PARTICLES = _set("am da das de del der di do dos du el la las los of san the und van von y zu zum zur")
"""Small words that names and addresses are made with."""
_NUMBERS = frozenset(word for numbers in NUMBERS.values() for word in numbers.digits_in())


@dataclass(frozen=True)
class Words:
    """The words of a sentence."""

    all: tuple[str, ...]
    """In small letters, without digits."""
    unnamed: str
    """Those that are written small, and the first: without names, and without the nouns of German."""
    ordinary: int
    """How many are neither names nor numbers."""

    @classmethod
    def of(cls, text: str) -> Words:
        words = re.findall(r"[^\W\d_]+", text)
        small = [word for at, word in enumerate(words) if at == 0 or word.islower()]
        return cls(
            all=tuple(word.lower() for word in words),
            unnamed=" ".join(small).lower(),
            ordinary=sum(word.islower() and fold(word) not in _PARTICLES | _NUMBERS for word in small),
        )

    @property
    def are_a_sentence(self) -> bool:
        return len(self.all) >= WHOLE_WORDS and self.ordinary >= WHOLE_ORDINARY


class Identification:
    """Tells the languages that a service speaks apart."""

    def __init__(self, codes: Sequence[str]) -> None:
        """`codes` are ISO 639-1, the service's own language first.

        Takes 15 to 40 ms and 13 MB of the process, with the smaller models of lingua; the larger ones take
        0.3 s and 120 MB, and over sentences of calls they are no better than these with `COMMON`. Never make
        one in the forkserver: a process forked from one that has loaded models hangs when it loads its own.
        """
        self.codes = tuple(codes)
        self._detector = _detector(self.codes)
        self._guess("the first one takes 5 ms more", LIKELY)

    def tell(self, text: str, *, reported: str = "", first: bool = False) -> str | None:
        """The language that a sentence is unmistakably in; None when it is short, or in doubt.

        `reported` is what speech to text says of it. `first`: less is enough while a call has no language.
        """
        words = Words.of(text)
        code = None
        if words.are_a_sentence or (first and len(words.all) > 1 and words.ordinary):
            code = self._language_of(words, reported, LIKELY if first else SURE)
        return self._greeted_in(words) if code is None and first and words.all else code

    def _language_of(self, words: Words, reported: str, least: float) -> str | None:
        common = {code: sum(word in COMMON.get(code, ()) for word in words.all) for code in self.codes}
        best = max(common, key=lambda code: common[code])
        others = max((count for code, count in common.items() if code != best), default=0)
        if reported and reported not in self.codes:
            return None  # the words of a language that is not spoken here resemble those of one that is
        for guess in (reported, self._guess(words.unnamed, least)):
            # Not every speech to text can tell: one that listens for a single language reports that.
            if guess and (guess not in COMMON or common[guess] == common[best]):
                return guess
        return best if common[best] >= max(CLEAR_COMMON, 2 * others) else None

    def _guess(self, text: str, least: float) -> str:
        if self._detector is None:
            return ""
        best = self._detector.compute_language_confidence_values(text)[0]
        return _code(best.language) if best.value >= least else ""

    def _greeted_in(self, words: Words) -> str | None:
        for code in self.codes:
            if words.all[0] in GREETINGS.get(code, ()):
                return code
        return None


def _detector(codes: Sequence[str]) -> LanguageDetector | None:
    """None where there is nothing to tell apart. A language without a model is followed by reports alone."""
    known = [language for language in Language.all() if _code(language) in codes]
    if len(known) < 2:
        return None
    return (
        LanguageDetectorBuilder.from_languages(*known)
        .with_low_accuracy_mode()
        .with_preloaded_language_models()
        .build()
    )


def _code(language: Language) -> str:
    return language.iso_code_639_1.name.lower()
