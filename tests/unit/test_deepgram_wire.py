"""Deepgram's messages and the words in them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from callpool.local.deepgram_wire import Report
from callpool.local.hearing import ModelInfo, clean
from callpool.local.listen_query import ListenQuery
from callpool.local.utterance import Segment
from callpool.local.word_times import Word, spread

SEGMENT = Segment(start=0, voiced_from=4_000, voiced_until=20_000, end=24_000, confidence=0.98765)
MODEL = ModelInfo("model", "1", "kind")


def times(words: Sequence[Word]) -> list[float]:
    return [time for word in words for time in (word.start_s, word.end_s)]


def test_words_share_the_voice_by_what_there_is_to_pronounce() -> None:
    """From the first voiced sample to the last: letters, digits as short words, pauses after punctuation."""
    assert times(spread(["I", "remember", "you."], 1.0, 2.2)) == pytest.approx([1.0, 1.1, 1.1, 1.9, 1.9, 2.2])
    assert times(spread(["Yes,", "1"], 0.0, 1.1)) == pytest.approx([0.0, 0.3, 0.7, 1.1])
    assert spread([], 1.0, 2.0) == ()


def test_speech_of_a_voice_ends_with_a_pause() -> None:
    """The voice is silent for a while after the full stop, unlike the last voiced sample."""
    words = spread(["I", "remember", "you."], 0.0, 1.6, pause_at_end=True)
    assert times(words) == pytest.approx([0.0, 0.1, 0.1, 0.9, 0.9, 1.2])


def test_words_are_told_with_their_times() -> None:
    """In small letters without punctuation, from the start of the stream."""
    [alternative] = Report(ListenQuery.parse({}), MODEL).results("I, Bob!", SEGMENT)["channel"][
        "alternatives"
    ]
    assert [(word["word"], word["start"], word["end"]) for word in alternative["words"]] == [
        ("i", 0.25, 0.375),
        ("bob", 0.875, 1.25),
    ]


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


def test_silence_is_in_no_language() -> None:
    """The plugin takes the first of the languages wherever there is a list, and fails on an empty one."""
    report = Report(ListenQuery.parse({"language": "multi"}), MODEL)
    [alternative] = report.results("", SEGMENT, is_final=True)["channel"]["alternatives"]
    assert "languages" not in alternative


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
