"""Not understood once, twice, three times in a row."""

from __future__ import annotations

import pytest

from callpool.understanding import Understanding, offer


def test_misses_in_a_row_lead_from_asking_again_to_a_person() -> None:
    """Say it again, say it differently, a person; and from then on a person."""
    understanding = Understanding()
    assert [offer(understanding.miss(turn)) for turn in (1, 2, 3, 4)] == [
        "unclear",
        "rephrase",
        "offer_person",
        "offer_person",
    ]


def test_a_turn_that_was_understood_begins_the_count_anew() -> None:
    """Nobody reports it: its number is missing among the misses."""
    understanding = Understanding()
    assert [understanding.miss(turn) for turn in (1, 2, 4, 5)] == [1, 2, 1, 2]


def test_a_model_that_says_so_twice_in_a_turn_counts_once() -> None:
    """A turn is understood or it is not."""
    understanding = Understanding()
    assert [understanding.miss(turn) for turn in (1, 1, 2)] == [1, 1, 2]


@pytest.mark.parametrize(
    ("events", "counts"),
    [
        (["words 1", "sound 1", "words 2"], [1, 2, 3]),
        (["sound 0", "sound 0", "sound 0"], [1, 2, 3]),
        (["words 1", "sound 2"], [1, 1]),  # turn 2 was understood
        (["sound 1", "words 2", "words 4"], [1, 2, 1]),
    ],
)
def test_speech_of_which_no_words_came_counts_too(events: list[str], counts: list[int]) -> None:
    """It comes after a turn and makes none of its own."""
    understanding = Understanding()
    counted = []
    for event in events:
        kind, turn = event.split()
        miss = understanding.miss if kind == "words" else understanding.miss_sound
        counted.append(miss(int(turn)))
    assert counted == counts
