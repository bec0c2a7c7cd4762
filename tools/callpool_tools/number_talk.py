"""The words that callers put around digits, in every language at once, and the kind of each.

A kind is one letter, so that the kinds of a sentence are a text that patterns can be matched with:

- `c` takes back what was said before it: "no", "sorry", "I mean"
- `Z` begins the number anew: "start over"
- `x` denies what follows: "not 12345"
- `p` names a place in the number: "the last one"
- `f` fills a pause inside a number: "uh", "then"
- `g` a digit or a number, `q` an order, `Q` what else has a number: a telephone, a town
- `e` says nothing by itself: "it's", "the"
- `w` every other word
"""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORDS = {
    "c": (
        "no nope nah sorry mean meant actually correction scratch rather oops whoops mistake mistaken pardon "
        "wrong apologies nein nee ne entschuldigung entschuldigen verzeihung meinte quatsch korrektur falsch "
        "vielmehr besser irrtum vertan perdon perdona perdone digo decir dicho disculpe disculpa corrijo "
        "correccion equivoque equivocado siento"
    ),
    "Z": "over beginning again restart vorne nochmal neuem nuevo",
    "x": "not isn't isnt wasn't nicht kein keine statt anstatt anstelle instead than lugar",
    "f": (
        "uh um er erm hm hmm mm then followed by dash hyphen comma space next comes wait hold on hang a "
        "moment minute second okay ok yes yeah let see well so like point ah eh ahm aeh dann danach komma "
        "strich bindestrich leerzeichen warte also ja gut einen kleinen augenblick mal punkt este luego "
        "me despues guion coma espera momento un una ein eine si vale bueno pues ver punto"
    ),
    "g": (
        "number numbers digit digits figure figures code nummer nummern nr ziffer ziffern zahl zahlen stelle "
        "numero numeros digito digitos cifra cifras"
    ),
    "q": (
        "order orders bestellung bestellungen bestellnummer bestellungsnummer auftrag auftragsnummer pedido "
        "pedidos orden"
    ),
    "Q": (
        "phone telephone mobile cell zip zipcode postcode postal customer house telefon telefonnummer handy "
        "handynummer postleitzahl plz kundennummer hausnummer telefono movil cliente"
    ),
    "e": (
        "i it it's its is was that that's thats this these those should be the my make you please thanks "
        "thank are at end ends in with rest remaining start starts begins goes said but reads ich es ist "
        "war das die der den dem mein meine meinem bitte danke sind am ende endet auf mit lautet muss sein "
        "soll sollte gesagt sondern son era el la los las mi por favor gracias al final termina en con resto "
        "empieza que debe ser lo yo se sino mejor quiero queria wollte sagen say have"
    ),
}
_KINDS = {word: kind for kind, words in _WORDS.items() for word in words.split()}

PLACES = {
    place: index
    for index, words in {
        0: "first erste ersten erster primer primero primera",
        1: "second zweite zweiten zweiter segundo segunda",
        2: "third dritte dritten dritter tercer tercero tercera",
        3: "fourth vierte vierten vierter cuarto cuarta",
        4: "fifth funfte funften funfter quinto quinta",
        -1: "last letzte letzten letzter letztes ultimo ultima ultimos ultimas",
    }.items()
    for place in words.split()
}
"""Words for a place in a number, counted from 0; the last one is -1."""

NAMES_ONE = _set("that this the other another which next right wrong only new old")
"""Before "one" they make it a thing, unless a number goes on after it."""

CONTINUES = _set("rest remaining end ends ende endet resto final termina")
"""Between two parts of a number they say that the second goes on where the first ended."""

PAUSES = _set("moment second minute sec")
"""After "one" they make it a request to wait."""

BEFORE_DIGITS = _set("is it's its was number says reads no sorry uh um er yes okay ok sure")
"""After these a "for" is more likely a four that was misheard."""

_BY_THE_WORD_BEFORE = {
    ("ich", "meine"): "c",
    ("otra", "vez"): "Z",
    ("en", "vez"): "x",
    ("instead", "of"): "e",
    ("vez", "de"): "e",
    ("lugar", "de"): "e",
}
_BY_THE_WORD_AFTER = {("no", "es"): "x", ("no", "son"): "x"}


def kind_of(before: str, word: str, after: str) -> str:
    """The kind of a word, given its neighbours."""
    return (
        _BY_THE_WORD_BEFORE.get((before, word))
        or _BY_THE_WORD_AFTER.get((word, after))
        or _KINDS.get(word, "w")
    )
