"""Order numbers, however they are said."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callpool.number_words import ENGLISH, GERMAN, LANGUAGES, SPANISH, NumberWords
from callpool_tools.digits import ORDER_DIGITS, digits, order_number_in

settings.register_profile("unhurried", deadline=None)  # machines that run tests have other things to do
settings.load_profile("unhurried")

NUMBERS = st.integers(0, 99_999).map(lambda value: f"{value:05}")
PAUSES = st.sampled_from([" ", ", ", " - ", ". ", " uh ", " and then ", " dann ", " luego "])


@pytest.mark.parametrize(
    "text",
    [
        "12345",
        "12,345",
        "12.345",
        "12 34 5",
        "1-2-3-4-5",
        "1. 2. 3. 4. 5.",
        "ORD-12345",
        "No. 12345",
        "one twenty-three forty-five",
        "one twenty three forty five",
        "twelve thousand three hundred forty-five",
        "twelve thousand, three hundred and forty five",
        "twelve thousand three forty-five",
        "12 thousand 345",
        "one hundred twenty three forty five",
        "won two tree four fife",
        "1 to 3 4 5",
        "one too three for five",
        "oh, one two three four five",
        "one moment, one two three four five",
        "the first one, one two three four five",
        "one two uh three, and then four five",
        "one two three, and it ends with four five",
        "zwölftausenddreihundertfünfundvierzig",
        "zwölf tausend drei hundert fünf und vierzig",
        "eins zwo drei vier fünf",
        "eins, dreiundzwanzig, fünfundvierzig",
        "doce mil trescientos cuarenta y cinco, por favor",
        "uno veintitrés cuarenta y cinco",
        "１２３４５",
    ],
)
def test_a_number_is_heard_however_it_is_said(text: str) -> None:
    """Figures, digits, pairs and whole numbers, with what ears make of them."""
    assert order_number_in(text) == "12345"
    assert order_number_in(f"My order number is {text}") == "12345"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("double five six seven eight", "55678"),
        ("triple two one one", "22211"),
        ("nought double oh one two", "00012"),
        ("doppelte fünf, sechs, sieben, acht", "55678"),
        ("zweimal die fünf, sechs, sieben, acht", "55678"),
        ("doble cinco seis siete ocho", "55678"),
        ("oh one two three four", "01234"),
        ("six seven eight nine oh", "67890"),
        ("For four, five, five, six.", "44556"),
        ("sixty seven thousand eight ninety", "67890"),
        ("ten thousand and five", "10005"),
    ],
)
def test_repeats_zeros_and_mishearings(text: str, number: str) -> None:
    """A word that only sounds like a digit counts when the number is not whole without it."""
    assert order_number_in(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("one two three four five, no, six", "12346"),
        ("one two three five, no, four five", "12345"),
        ("one two four five, sorry, three four five", "12345"),
        ("one two three four five, sorry, four six", "12346"),
        ("12345. No, the last one is six.", "12346"),
        ("12345, the last two digits are 4 6", "12346"),
        ("12345, the first one is two", "22345"),
        ("9 9 9 9 9, scratch that, 1 2 3 4 5", "12345"),
        ("one two three, let me start again, one two four six seven", "12467"),
        ("9 9 9 9 9, I mean 1 2 3 4 5", "12345"),
        ("12345, not 5, 6", "12346"),
        ("12345, it's not five, it's six", "12346"),
        ("not 12345 but 67890", "67890"),
        ("67890 instead of 12345", "67890"),
        ("eins zwei drei vier fünf, nein, sechs", "12346"),
        ("12345, nein, die letzte ist sechs", "12346"),
        ("12345, ich meine 12346", "12346"),
        ("nicht 12345 sondern 67890", "67890"),
        ("uno dos tres cuatro cinco, no, seis", "12346"),
        ("12345, perdón, 12346", "12346"),
        ("12345, los dos últimos son cuatro seis", "12346"),
        ("no es 12345, es 67890", "67890"),
    ],
)
def test_a_caller_may_correct_themselves(text: str, number: str) -> None:
    """What was said last is right, and takes the place of as many digits as make the number whole."""
    assert order_number_in(text) == number


@pytest.mark.parametrize("text", ["12345. No, I want 2 lamps", "12345, sorry, 2 lamps", "12345, no problem"])
def test_a_no_that_takes_nothing_back_changes_nothing(text: str) -> None:
    """Words after a "no" that are no digits, and digits that count things."""
    assert order_number_in(text) == "12345"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("no, the last one is six", "12346"),
        ("sorry, four six", "12346"),
        ("no, 67890", "67890"),
        ("67890", "67890"),
        ("two lamps", None),
        ("yes", None),
    ],
)
def test_a_number_from_before_can_be_corrected(text: str, number: str | None) -> None:
    """Given what was understood until now, a correction needs no more than its digits."""
    assert order_number_in(text, known="12345") == number


@pytest.mark.parametrize(
    "text",
    [
        "2 lamps, order 12345",
        "two lamps from order one two three four five",
        "order 12345, two lamps please",
        "1 2 3 4 5 for 2 people",
        "pedido uno dos tres cuatro cinco y dos lámparas",
        "zwei Lampen, Bestellung 12345",
        "My zip code is 94103 and my order number is 12345",
        "Order 12345, my phone number is 55555",
        "I ordered a phone, the number is 12345",
        "12345, yes, 12345",
    ],
)
def test_of_several_numbers_the_order_is_found(text: str) -> None:
    """By its length, and by what it was called."""
    assert order_number_in(text) == "12345"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1234",
        "1 2 3 4 5 6",
        "1 2 3 4 5 6 7 8 9 0",
        "12345 and 67890",
        "12345 or 67890",
        "order 12345, order 67890",
        "my zip code is 94103",
        "I want to go to the park for an hour",
        "no, six",
        "²²²²²",
        "0, no! Oh",
    ],
)
def test_what_is_not_clear_is_no_order_number(text: str) -> None:
    """Too few, too many, or two orders at once: the caller is asked again."""
    assert order_number_in(text) is None


@pytest.mark.parametrize(
    ("spoken", "number"),
    [
        ("one, oh, five", "105"),
        ("nought double two one", "0221"),
        ("treble five, nil, triple 7", "5550777"),
        ("twenty oh one", "2001"),
        ("double twelve, double 12", "1212"),
        ("one double", "1"),
        ("four five, sorry, four six", "46"),
        ("no idea", ""),
        ("oh dear", ""),
    ],
)
def test_digits_are_read_whatever_their_number(spoken: str, number: str) -> None:
    """Without a length to fit, each digit counts."""
    assert digits(spoken) == number


def test_every_number_is_read_as_figures() -> None:
    """All hundred thousand of them, as a model writes them."""
    assert all(order_number_in(f"{value:05}") == f"{value:05}" for value in range(100_000))


@given(NUMBERS, PAUSES, st.sampled_from(list(LANGUAGES)))
def test_a_number_read_out_digit_by_digit_is_heard(number: str, pause: str, language: str) -> None:
    """In every language, with every pause."""
    assert order_number_in(pause.join(in_digits(number, LANGUAGES[language]))) == number


@given(NUMBERS, st.sampled_from([(2, 2, 1), (2, 1, 2), (1, 2, 2)]), st.sampled_from(list(LANGUAGES)))
def test_a_number_read_out_in_pairs_is_heard(number: str, sizes: tuple[int, ...], language: str) -> None:
    """ "One twenty-three forty-five" and its like, with a comma between the pairs."""
    words, parts, at = LANGUAGES[language], [], 0
    for size in sizes:
        parts.append(in_pair(number[at : at + size], words))
        at += size
    assert order_number_in(", ".join(parts)) == number


@given(st.integers(10_000, 99_999), st.sampled_from(list(LANGUAGES)))
def test_a_number_said_as_a_whole_is_heard(value: int, language: str) -> None:
    """ "Twelve thousand three hundred forty-five", "zwölftausend…", "doce mil…"."""
    assert order_number_in(as_cardinal(value, LANGUAGES[language])) == str(value)


@given(NUMBERS)
def test_repeated_digits_may_be_doubled_and_tripled(number: str) -> None:
    """Every run of one digit is said as "double" or "triple"."""
    words, at = [], 0
    while at < len(number):
        times = next(n for n in (3, 2, 1) if number[at : at + n] == number[at] * n)
        repeat = {3: "triple ", 2: "double ", 1: ""}[times]
        words.append(repeat + in_digits(number[at], ENGLISH)[0])
        at += times
    assert order_number_in(" ".join(words)) == number


@given(NUMBERS, st.integers(1, 4), NUMBERS, st.sampled_from(["no", "sorry", "I mean", "scratch that"]))
def test_the_end_of_a_number_can_be_said_anew(number: str, count: int, other: str, marker: str) -> None:
    """The last digits are replaced by as many others, whatever they are."""
    text = f"{' '.join(number)}, {marker}, {' '.join(other[-count:])}"
    assert order_number_in(text) == number[:-count] + other[-count:]


TALK = ["one", "two", "to", "for", "oh", "double", "hundred", "thousand", "no", "not", "sorry", "the", "last"]
TALK += [
    "first",
    "and",
    "order",
    "phone",
    ".",
    ",",
    "-",
    "5",
    "12",
    "12345",
    "zwei",
    "und",
    "hundert",
    "nein",
]
TALK += [
    "nicht",
    "ein",
    "letzte",
    "mil",
    "dos",
    "y",
    "cien",
    "último",
    "lamps",
    "uh",
    "again",
    "is",
    "instead",
]
ANY_TEXT = st.one_of(st.text(), st.lists(st.sampled_from(TALK)).map(" ".join))


@given(ANY_TEXT, st.sampled_from(["", "12345"]))
def test_any_text_gives_five_digits_or_nothing(text: str, known: str) -> None:
    """Nothing raises, and nothing but a whole number comes out."""
    number = order_number_in(text, known)
    assert number is None or (len(number) == ORDER_DIGITS and number.isascii() and number.isdigit())
    assert digits(text) == "" or digits(text).isdigit()


HOSTILE = ["1", "1 ", "1, ", "one ", "to ", "1 to ", "no 1 ", "not 12345, 2 ", "12345 no ", "order 12345 "]
HOSTILE += ["ein", "dreizehn", "111,", "the last one is ", "thousand ", "oh ", "\u0301"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_long_texts_take_no_time(piece: str) -> None:
    """A text far longer than a turn is read within a second, whatever it is made of."""
    text = piece * (20_000 // len(piece))
    begun = time.process_time()

    order_number_in(text)

    assert time.process_time() - begun < 1.0


def in_digits(number: str, words: NumberWords) -> list[str]:
    usual: dict[str, str] = {}
    for word, digit in words.units.items():
        usual.setdefault(str(digit), word)
    return [usual[digit] for digit in number]


def in_pair(pair: str, words: NumberWords) -> str:
    """ "05" digit by digit, anything else as a number."""
    return " ".join(in_digits(pair, words)) if pair[0] == "0" else as_cardinal(int(pair), words)


def as_cardinal(value: int, words: NumberWords) -> str:
    return {ENGLISH.joint: english, GERMAN.joint: german, SPANISH.joint: spanish}[words.joint](value)


def word_for(value: int, *tables: dict[str, int]) -> str:
    return next(word for table in tables for word, worth in table.items() if worth == value)


def english(value: int) -> str:
    e = ENGLISH
    if value >= 1000:
        return f"{english(value // 1000)} thousand {english(value % 1000)}".removesuffix(" zero")
    if value >= 100:
        return f"{english(value // 100)} hundred and {english(value % 100)}".removesuffix(" and zero")
    if value >= 20 and value % 10:
        return f"{word_for(value - value % 10, dict(e.tens))}-{english(value % 10)}"
    return word_for(value, dict(e.units), dict(e.teens), dict(e.tens))


def german(value: int) -> str:
    g = GERMAN
    one = "ein" if value % 10 == 1 else word_for(value % 10, dict(g.units))
    if value >= 1000:
        below = german(value % 1000) if value % 1000 else ""
        above = german(value // 1000)
        return f"{above.removesuffix('s') if above.endswith('eins') else above}tausend{below}"
    if value >= 100:
        hundreds = "ein" if value < 200 else word_for(value // 100, dict(g.units))
        return f"{hundreds}hundert{german(value % 100) if value % 100 else ''}"
    if value >= 20 and value % 10:
        return f"{one}und{word_for(value - value % 10, dict(g.tens))}"
    return word_for(value, dict(g.units), dict(g.teens), dict(g.tens))


def spanish(value: int) -> str:
    s = SPANISH
    if value >= 1000:
        return f"{spanish(value // 1000)} mil {spanish(value % 1000)}".removesuffix(" cero")
    if value >= 100:
        hundreds = "ciento" if 100 < value < 200 else word_for(value // 100 * 100, dict(s.hundreds))
        return f"{hundreds} {spanish(value % 100)}".removesuffix(" cero")
    if value >= 30 and value % 10:
        return f"{word_for(value - value % 10, dict(s.tens))} y {spanish(value % 10)}"
    return word_for(value, dict(s.units), dict(s.teens), dict(s.tens))
