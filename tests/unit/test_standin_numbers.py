"""Numbers as callers say them and as speech-to-text writes them."""

from __future__ import annotations

from datetime import date

import pytest

from callpool.local.standin.calendar import days, times
from callpool.local.standin.spoken import digit_runs, digits_of, quantities

FIVE = (5, 5)


def heard(text: str, lengths: tuple[int, int] | None = FIVE) -> list[str]:
    return [each.digits for run in digit_runs(text) for each in digits_of(run, lengths)]


@pytest.mark.parametrize(
    "text",
    [
        "12345",
        "12345.",
        "1 2 3 4 5",
        "1-2-3-4-5",
        "1, 2, 3, 4, 5.",
        "1. 2. 3. 4. 5.",
        "12,345",
        "12 345",
        "123 45",
        "one two three four five",
        "one two three, four five",
        "One, two, three, four, five!",
        "one twenty-three forty-five",
        "one twenty three forty five",
        "twelve thirty four five",
        "twelve thousand three hundred forty five",
        "twelve thousand three hundred and forty-five",
        "12 thousand 345",
        "1 to 3 4 5",
        "one too three for five",
        "won two tree four fife",
        "one two uh three four five",
        "one two three and then four five",
        "1 2 3 4 6, no, 5",
        "9 9 9 9 9, sorry, 1 2 3 4 5",
        "1 2 3 4 5 for 2 people",
        "oh, one two three four five",
    ],
)
def test_five_digits_are_heard_however_they_are_said(text: str) -> None:
    """Every wording gives the digits 1 2 3 4 5, with words around it as well."""
    assert heard(text) == ["12345"]
    assert heard(f"My order number is {text}") == ["12345"]


def test_repeats_and_zeros() -> None:
    """Double, triple, oh and zero."""
    assert heard("double five treble one") == ["55111"]
    assert heard("six seven eight nine oh") == ["67890"]
    assert heard("nought triple seven zero") == ["07770"]
    assert heard("nil niner fourty five one") == ["09451"]


def test_what_the_local_engine_writes_for_a_leading_four() -> None:
    """Moonshine writes "For four, five, five, six." for 4 4 5 5 6."""
    assert heard("For four, five, five, six.") == ["44556"]
    assert heard("For 44556.") == ["44556"]


def test_a_raised_digit_is_none() -> None:
    """It belongs to a unit, and no number can be made of it."""
    assert heard("20 ² 5", None) == ["20", "5"]


def test_two_numbers_are_two() -> None:
    """With "and" or a comma between, spoken or written."""
    assert heard("12345 and 67890") == ["12345", "67890"]
    assert heard("12345, 67890") == ["12345", "67890"]
    assert heard("1 2 3 4 5 6 7 8 9 0") == ["12345", "67890"]
    assert heard("one two three four five and six seven eight nine zero") == ["12345", "67890"]


def test_a_number_of_another_length_is_heard_as_it_is() -> None:
    """Nothing is added or taken away to make it fit."""
    assert heard("1 2 3 4") == ["1234"]
    assert heard("1 2 3 4 5 6") == ["123456"]


def test_words_that_only_sound_like_digits_are_no_number() -> None:
    """ "To" and "for" between words stay words, and a sigh is no zero."""
    assert heard("Oh no, for two people", None) == []
    assert heard("I want to go to the park for an hour") == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("four", [4]),
        ("twenty-one point five degrees", [21.5]),
        ("minus three", [-3]),
        ("1,200 and 3.5", [1200, 3.5]),
        ("one hundred and five", [105]),
        ("two and a half", [2.5]),
        ("a dozen eggs and a couple of lemons", [12, 2]),
        ("this one", []),
        ("two million three hundred thousand and five", [2_300_005]),
        ("three hundred thousand", [300_000]),
        (f"{'9' * 400} thousand", []),
        ("no number here", []),
    ],
)
def test_quantities(text: str, values: list[float]) -> None:
    """Counts and measures, in words and in digits."""
    assert [each.value for each in quantities(text)] == values


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", "2026-11-25"),
        ("the day after tomorrow", "2026-11-27"),
        ("next Monday", "2026-11-30"),
        ("on Wednesday", "2026-12-02"),
        ("December 2nd", "2026-12-02"),
        ("the third of January", "2027-01-03"),
        ("2026-12-24", "2026-12-24"),
    ],
)
def test_days(text: str, day: str) -> None:
    """A weekday or a date without a year is the next one."""
    assert [each.day.isoformat() for each in days(text, date(2026, 11, 25))] == [day]


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("7 pm", (19, 0)),
        ("at seven thirty a.m.", (7, 30)),
        ("half past six", (6, 30)),
        ("half-past six", (6, 30)),
        ("quarter to nine", (8, 45)),
        ("19:45", (19, 45)),
        ("noon", (12, 0)),
        ("at eight", (8, 0)),
        ("twelve o'clock", (12, 0)),
    ],
)
def test_times(text: str, clock: tuple[int, int]) -> None:
    """Times of day."""
    assert [divmod(each.minutes, 60) for each in times(text)] == [clock]


def test_an_impossible_date_is_no_date() -> None:
    """The thirtieth of February is not understood rather than wrong."""
    assert list(days("February 30th", date(2026, 11, 25))) == []
