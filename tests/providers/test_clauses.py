"""How text that arrives in pieces is cut into what can be spoken."""

from __future__ import annotations

import pytest

from callpool.local.clauses import LONG_SENTENCE, Clauses


def spoken(*pieces: str) -> list[list[str]]:
    """What each piece sets free, and last what is left at the end."""
    clauses = Clauses()
    return [*(clauses.push(piece) for piece in pieces), clauses.rest()]


def test_a_sentence_is_spoken_once_white_space_follows_it() -> None:
    """A full stop may still turn out to be the middle of a number."""
    assert spoken("It costs 3", ".", "50 in all.", " Thank", " you.") == [
        [],
        [],
        [],
        ["It costs 3.50 in all."],
        [],
        ["Thank you."],
    ]


@pytest.mark.parametrize("text", ["Mr. Smith called.", "See e.g. the list.", "J. Smith called."])
def test_abbreviations_end_no_sentence(text: str) -> None:
    """Their full stop is not a pause, in one piece or word by word."""
    assert spoken(text) == [[], [text]]
    assert spoken(*(f"{word} " for word in text.split()[:-1])) == [[]] * len(text.split()[:-1]) + [
        [text.rsplit(" ", 1)[0]]
    ]


@pytest.mark.parametrize(
    "text", ["Order no. 5 is here.", "It is at Main Ave. 12 today.", "Wait… what is it?"]
)
def test_a_sentence_does_not_end_where_it_goes_on(text: str) -> None:
    """What follows shows that it did not end."""
    assert spoken(text) == [[], [text]]


@pytest.mark.parametrize(
    "text", ["Hello.", "Of course!", "Which one?", "It is 3.", "(Yes.)", "Wait…", "A line\n"]
)
def test_a_whole_sentence_does_not_wait_for_the_next(text: str) -> None:
    """White space behind it is enough: the first audio depends on it."""
    assert spoken(f"{text} ") == [[text.strip()], []]


def test_a_short_first_sentence_stays_whole() -> None:
    """A cut at its comma would cost melody and save nothing."""
    assert spoken("Yes, of course, I can help. And then") == [["Yes, of course, I can help."], ["And then"]]


def test_a_long_first_sentence_begins_with_its_first_clause() -> None:
    """The rest of it, and later sentences, stay whole."""
    text = "I have found your order, and it will arrive tomorrow. It is small, so somebody has to be in."
    assert spoken(text) == [
        ["I have found your order,", "and it will arrive tomorrow."],
        ["It is small, so somebody has to be in."],
    ]


def test_a_very_long_sentence_is_cut_at_its_commas() -> None:
    """No piece is much longer than the limit, and no word is lost."""
    text = "Well. " + "one thing and another thing and some other thing, " * 12 + "and that is all."
    pieces = [piece for group in spoken(text) for piece in group]
    assert max(map(len, pieces)) <= LONG_SENTENCE
    assert " ".join(pieces).split() == text.split()


def test_blank_text_gives_nothing() -> None:
    """Nor do quotation marks move to the next sentence."""
    assert spoken(" ", "\n") == [[], [], []]
    assert spoken('He said "no." Then he left.') == [['He said "no."'], ["Then he left."]]
