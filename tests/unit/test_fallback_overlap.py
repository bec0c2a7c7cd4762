"""What a second model repeats of an answer, and what is left of a text that a voice broke off."""

from __future__ import annotations

import pytest

from callpool.fallback.overlap import TextOverlap
from callpool.fallback.spoken import TimedWord, spoken_end

ANSWER = "Your order is on its way and arrives tomorrow. Anything else?"


def told(said: str, goes_on: str, piece: int = 3) -> str:
    """All that a caller hears of two answers."""
    overlap = TextOverlap(said)
    pieces = [goes_on[at : at + piece] for at in range(0, len(goes_on), piece)]
    return said + "".join(map(overlap.push, pieces)) + overlap.rest()


@pytest.mark.parametrize("cut", range(1, len(ANSWER)))
def test_an_answer_begun_anew_is_heard_once(cut: int) -> None:
    """Wherever the first model broke off, the second one's whole answer adds only what was missing."""
    assert told(ANSWER[:cut], ANSWER) == ANSWER


@pytest.mark.parametrize("cut", [at for at in range(1, len(ANSWER)) if ANSWER[at] == " "])
@pytest.mark.parametrize("repeated", [0, 1, 3])
def test_words_repeated_at_the_seam_are_heard_once(cut: int, repeated: int) -> None:
    """A model may take up the last words again, or go on at once: the sentence is the same."""
    words = ANSWER[:cut].split()[-repeated:] if repeated else []
    assert told(ANSWER[:cut], " ".join([*words, ANSWER[cut:].strip()])) == ANSWER


def test_other_words_are_given_as_they_are() -> None:
    """An answer that shares only its first words with the other one is no repetition."""
    assert told("Your order is on its way", "Your order will come.") == (
        "Your order is on its way Your order will come."
    )


def test_a_word_that_begins_like_the_last_one_stays_whole() -> None:
    """`is` and `issued` are two words."""
    assert told("The refund is", "issued today.") == "The refund is issued today."


def test_nothing_is_held_back_when_nothing_was_said() -> None:
    """A first answer passes through piece by piece."""
    overlap = TextOverlap("")
    assert [overlap.push("Your"), overlap.push(" order")] == ["Your", " order"]


TIMED = [TimedWord("One ", 0.0, 0.4), TimedWord("two ", 0.4, 0.8), TimedWord("three.", 0.8, 1.2)]


@pytest.mark.parametrize(
    ("audio_s", "spoken"),
    [(0.0, ""), (0.1, ""), (0.3, "One"), (0.75, "One two"), (1.0, "One two three."), (1.2, "One two three.")],
)
def test_a_word_counts_as_spoken_when_most_of_it_was_heard(audio_s: float, spoken: str) -> None:
    """By the times that the voice gave."""
    text = "One two three. Four."
    assert text[: spoken_end(text, TIMED, audio_s)] == spoken


@pytest.mark.parametrize(("beyond_s", "spoken"), [(0.3, ""), (0.8, " Four"), (1.3, " Four five.")])
def test_audio_beyond_the_known_times_has_the_pace_of_the_words_before(beyond_s: float, spoken: str) -> None:
    """Voices tell the times of words late, or never that of the last one. A pause is no word."""
    text = "One two three. Four five."
    assert text[: spoken_end(text, TIMED, 1.2 + beyond_s)] == f"One two three.{spoken}"


def test_a_voice_without_times_is_taken_for_a_slow_one() -> None:
    """A word twice is better than none."""
    text = "One two three. Four five."
    assert text[: spoken_end(text, [], 1.0)] == "One two"


def test_a_voice_that_speaks_longer_than_its_text_has_said_all_of_it() -> None:
    """No more words are spoken than there are."""
    assert spoken_end("One.", [], 60.0) == len("One.")
