"""What counts as said, and what as the same argument."""

from __future__ import annotations

import pytest

from callpool.evaluation.wording import forms, is_said, same


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("Wireless Headphones", "Your wireless headphones were shipped."),
        ("headphone", "two headphones"),
        ("1 2 3 4 5", "Order 12345 is here."),
        ("12345", "order one two three four five, right?"),
        ("12345", "order 1, 2, 3, 4, 5."),
        ("12345", "order 1-2-3-4-5"),
        ("12345", "double check: one twenty-three forty-five"),
        ("55", "double five"),
        ("$89", "That is 89.00 dollars."),
        ("89 dollars", "It costs $89.00."),
        ("eighty-nine", "It costs 89 dollars"),
        ("49.50", "forty-nine dollars and fifty cents"),
        ("120", "one hundred and twenty dollars"),
        ("1,234", "one thousand two hundred thirty four"),
        ("2026", "two thousand and twenty six"),
        ("yes", "Oh yes!"),
        ("it's", "It’s here"),
        ("/ship(ped|ping)/", "It was SHIPPED"),
        ("/order 12345/", "Order one two three four five"),
        ("zwei", "Ich habe 2 bestellt."),
        ("deliver", "It was delivered."),
    ],
)
def test_words_are_found_however_they_are_written(words: str, text: str) -> None:
    """Case, punctuation, the spelling of numbers and a short ending do not matter."""
    assert is_said(words, text)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("order", "on the border"),
        ("no", "now, it is November"),
        ("2345", "order 12345"),
        ("1234", "order 12345"),
        ("9", "$89.00"),
        ("5", "49.5 dollars"),
        ("12345", "order 1 2 3 4 6"),
        ("goodbye", ""),
        ("/^goodbye/", "well, goodbye"),
        ("headphones", "a headphone"),
    ],
)
def test_words_are_not_found_inside_others(words: str, text: str) -> None:
    """Part of a word or of a number is something else."""
    assert not is_said(words, text)


def test_oh_is_a_digit_only_beside_digits() -> None:
    """A sigh is no zero."""
    assert forms("Oh, I see")[0] == "oh i see"
    assert forms("one oh two")[1] == "102"


def test_a_sentence_end_parts_two_numbers() -> None:
    """The digits of an order are not joined with those of the next sentence."""
    assert is_said("12345", "Order 1 2 3 4 5. 2 items were sent.")


@pytest.mark.parametrize(
    ("wanted", "actual"),
    [
        ("12345", "1 2 3 4 5"),
        ("1 2 3 4 5", "12345"),
        ("12345", "one two three four five"),
        ("25", "operator 25"),
        ("James Miller", "james miller"),
        ("headphones", "Wireless Headphones"),
        ("discuss my bill", "I want to discuss my bill."),
        ("/oak street/", "14 Oak Street, Springfield"),
        ("", ""),
    ],
)
def test_arguments_are_the_same_by_what_they_mean(wanted: str, actual: str) -> None:
    """Texts without their case, whole words within a longer text, digits by digit."""
    assert same(wanted, actual)


@pytest.mark.parametrize(
    ("wanted", "actual"),
    [("12345", "12346"), ("2345", "12345"), ("", "x"), ("phones", "headphones"), ("James", "Jameson")],
)
def test_arguments_differ(wanted: str, actual: str) -> None:
    """A part of a number or of a word is another argument."""
    assert not same(wanted, actual)


def test_punctuation_alone_is_looked_for_as_it_stands() -> None:
    """So that `says: "?"` asks for a question."""
    assert is_said("?", "Are you still there?")
    assert not is_said("?", "Goodbye.")
