"""Short pieces are heard together with what was said just before."""

import pytest

from callpool.local.ear import after


@pytest.mark.parametrize(
    ("before", "together", "rest"),
    [
        ("Thank you.", "Thank you, good-bye.", "good-bye."),
        ("It is 1, 2.", "It is 1, 2, 3.", "3."),
        ("Thank you.", "Thank you.", ""),
        ("Thank you.", "Thanks for all, goodbye.", ""),
        ("Great.", "", ""),
    ],
)
def test_only_the_new_words_are_taken(before: str, together: str, rest: str) -> None:
    """What was said before is not said twice; when it was heard differently now, the piece is heard alone."""
    assert after(before, together) == rest
