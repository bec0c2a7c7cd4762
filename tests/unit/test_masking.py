"""What is hidden in a transcript, and what stays readable."""

from __future__ import annotations

import time

import pytest

from callpool.number_words import GERMAN, REPEATS, SPANISH, TEENS, TENS, UNITS, NumberWords
from callpool.privacy.masking import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("order 12345", "order *****"),
        ("Order 12345.", "Order *****."),
        ("ORD-1042", "ORD-****"),
        ("A1234B", "A****B"),
        ("1 2 3 4 5", "* * * * *"),
        ("1, 2, 3, 4, 5.", "*, *, *, *, *."),
        ("+1 (202) 555-0101", "+* (***) ***-****"),
        ("4111 1111 1111 1111", "**** **** **** ****"),
        ("12-34-56", "**-**-**"),
        ("It is one two three four five.", "It is * * * * *."),
        ("One, two, three.", "*, *, *."),
        ("two four six eight oh", "* * * * *"),
        ("double five oh two", "* * * *"),
        ("twelve thirty four", "* * *"),
        ("1 two 3", "* * *"),
        ("two hundred and five", "* * and *"),
        ("٣٤٥", "***"),
        ("nought seven nought one", "* * * *"),
        ("one nought one nought one", "* * * * *"),
        ("treble five one", "* * *"),
        ("nil nil seven nil", "* * * *"),
        ("fourty five fourty five", "* * * *"),
        ("niner niner two", "* * *"),
        ("twenty oh", "* *"),
        ("five million and two", "* * and *"),
        ("1 to 3 4 5", "* * * * *"),
        ("One, too, three, for, five.", "*, *, *, *, *."),
    ],
)
def test_long_numbers_are_hidden(text: str, masked: str) -> None:
    """Three digits or more, in figures or in words, with what callers put between them."""
    assert mask(text) == masked


@pytest.mark.parametrize("word", [*UNITS, *TEENS, *TENS])
def test_whatever_is_understood_as_a_digit_is_hidden(word: str) -> None:
    """Every word of the one table, read out three times or repeated."""
    assert mask(f"{word} {word} {word}") == "* * *"
    assert all(mask(f"{repeat} {word} one") == "* * *" for repeat in REPEATS)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Die Nummer ist eins, zwo, drei, vier, fünf.", "Die Nummer ist *, *, *, *, *."),
        ("zwölftausenddreihundertfünfundvierzig", "*"),
        ("ein hundert fünf", "ein * *"),
        ("einundzwanzig drei", "* *"),
        ("DREISSIG vierzig, dreißig vierzig", "* *, * *"),
        ("doppelfünf sechs sieben acht", "* * * *"),
        ("fu\u0308nf eins zwei", "* * *"),
        ("uno dos tres cuatro cinco", "* * * * *"),
        ("veintitrés cuarenta y cinco uno", "* * y * *"),
        ("doce mil trescientos cuarenta y cinco", "* * * * y *"),
        ("dieciseis diecisiete", "* *"),
        ("once once cinco", "* * *"),
    ],
)
def test_long_numbers_are_hidden_in_german_and_spanish(text: str, masked: str) -> None:
    """With accents or without, written together or apart."""
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("words", "word"),
    [
        (words, word)
        for words in (GERMAN, SPANISH)
        for word in (*words.units, *words.teens, *words.tens, *words.hundreds)
    ],
)
def test_every_word_of_the_table_is_hidden(words: NumberWords, word: str) -> None:
    """What is understood as a digit in another language is hidden as well."""
    usual = next(iter(words.tens))
    assert mask(f"{usual}, {word}, {usual}") == "*, *, *"
    assert all(mask(f"{repeat} {word}, {usual}, {usual}") == "* *, *, *" for repeat in words.repeats)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("james punkt miller ät beispiel punkt de", "***@***"),
        ("soy ana arroba correo punto es", "soy ***@***"),
        ("james.miller@example.com, please", "***@***, please"),
        ("it's james dot miller at example dot com", "it's ***@***"),
        ("j a m e s at example dot co dot uk", "***@***"),
        ("james underscore m at example.com", "***@***"),
    ],
)
def test_email_addresses_are_hidden(text: str, masked: str) -> None:
    """Written, spoken or spelled."""
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Where is my order?",
        "two desk lamps",
        "forty five dollars",
        "twenty-one",
        "12:30",
        "At 5 or 6",
        "a thousand thanks",
        "someone attended a meeting",
        "I was at home. Then I left",
        "The stone weighs a ton",
        "two to three weeks",
        "10 to 12 days",
        "I won two of them for one",
        "I called once, two weeks ago",
        "dreiundzwanzig Lampen",
        "drei und zwanzig Lampen",
        "zwei oder drei Wochen",
        "Tausend Dank",
        "zwölf Uhr dreißig",
        "Achtung, ein und dieselbe",
        "cuarenta y cinco euros",
        "cien por cien, mil gracias",
        "dos y tres",
        "once lámparas",
    ],
)
def test_everything_else_stays_readable(text: str) -> None:
    """Words, small numbers and words that merely hold a number's name."""
    assert mask(text) == text


HOSTILE = ["a", "a ", "1 ", "one ", "a.", "-", "@", "dot at ", " ", "one to "]
HOSTILE += ["ein", "einund", "dreizehn", "zwei und ", "cinco y ", "arroba punto ", "u\u0308"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_texts_take_no_time(piece: str) -> None:
    """A text far longer than a turn is masked within a second, whatever it is made of."""
    text = piece * (20_000 // len(piece))
    begun = time.process_time()

    mask(text)

    assert time.process_time() - begun < 1.0
