"""What `callpool up` says of the local engines' languages."""

from __future__ import annotations

import pytest

from callpool import settings
from callpool.local.engines import notice


def test_callers_of_other_languages_are_not_heard_by_the_local_engines() -> None:
    """Whoever starts them is told, with the languages concerned and what to do."""
    told = notice(settings.load({"CALLPOOL_LANGUAGES": "en,de,es"}))
    assert "English only" in told
    assert "(de, es)" in told
    assert "DEEPGRAM_API_KEY" in told


@pytest.mark.parametrize(
    "env",
    [
        {"CALLPOOL_LANGUAGES": "en"},
        {"DEEPGRAM_API_KEY": "a key", "CARTESIA_API_KEY": "another"},
    ],
)
def test_who_needs_no_other_language_or_has_real_engines_is_told_nothing(env: dict[str, str]) -> None:
    """A notice that concerns nobody hides those that do."""
    assert notice(settings.load(env)) == ""
