"""Deepgram's messages and the words in them."""

from __future__ import annotations

import pytest

from callpool.local.deepgram_wire import Report, spread
from callpool.local.hearing import ModelInfo, clean
from callpool.local.listen_query import ListenQuery
from callpool.local.utterance import Segment

SEGMENT = Segment(start=0, voiced_from=4_000, voiced_until=20_000, end=24_000, confidence=0.98765)
MODEL = ModelInfo("model", "1", "kind")


def test_words_share_the_voice_by_their_length() -> None:
    """Times rise without gaps, from the first voiced sample to the last."""
    words = spread("I remember you.", 1.0, 2.6)[:2]
    assert [time for word in words for time in (word.start_s, word.end_s)] == pytest.approx(
        [1.0, 1.2, 1.2, 2.1]
    )
    assert [word.bare for word in words] == ["i", "remember"]
    assert spread("", 1.0, 2.0) == []


@pytest.mark.parametrize(
    ("punctuate", "transcript", "first"),
    [("true", "Don't panic, Bob!", "Don't"), ("false", "don't panic bob", None)],
)
def test_text_is_formatted_when_asked(punctuate: str, transcript: str, first: str | None) -> None:
    """Punctuation and capitals are the client's choice, in the transcript and its words alike."""
    report = Report(ListenQuery.parse({"punctuate": punctuate}), MODEL)
    [alternative] = report.results("Don't panic, Bob!", SEGMENT)["channel"]["alternatives"]
    assert alternative["transcript"] == transcript
    assert alternative["words"][0].get("punctuated_word") == first
    assert alternative["words"][0]["word"] == "don't"
    assert alternative["confidence"] == 0.9877
    assert "languages" not in alternative


def test_languages_are_told_when_any_may_be_spoken() -> None:
    """`language=multi` names the language of the whole and of each word."""
    report = Report(ListenQuery.parse({"language": "multi"}), MODEL)
    [alternative] = report.results("uno dos", SEGMENT, language="es")["channel"]["alternatives"]
    assert alternative["languages"] == ["es"]
    assert [word["language"] for word in alternative["words"]] == ["es", "es"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("\"'I would like, \"'because it's late.'", "I would like, because it's late."),
        ("  the boys' ball ", "the boys ball"),
        ("", ""),
    ],
)
def test_stray_quotation_marks_are_taken_away(raw: str, text: str) -> None:
    """The small model quotes clauses; apostrophes inside words stay."""
    assert clean(raw) == text
