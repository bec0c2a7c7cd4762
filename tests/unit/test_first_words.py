"""What the voice is given, and when."""

import re

import pytest

from callpool.first_words import FIRST_WORDS, FirstWordsTokenizer


async def spoken(*pieces: str) -> list[str]:
    """Push an answer as a language model streams it, and collect what the voice gets."""
    stream = FirstWordsTokenizer().stream()
    for piece in pieces:
        stream.push_text(piece)
    stream.end_input()
    return [token.token async for token in stream]


async def test_the_first_clause_goes_out_alone() -> None:
    """A comma ends the first piece, so that the voice starts before the sentence is complete."""
    assert (await spoken("Of course, I can look that up for you."))[0] == "Of course,"


async def test_a_long_first_clause_is_cut_after_a_few_words() -> None:
    """Without punctuation the first words go out anyway."""
    pieces = await spoken("Your order left our warehouse on Monday morning and is on its way.")
    assert pieces[0] == "Your order left our"
    assert len(pieces[0].split()) == FIRST_WORDS


async def test_what_follows_comes_sentence_by_sentence() -> None:
    """Only the beginning is cut short: the rest keeps its intonation."""
    pieces = await spoken(
        "Yes, it left on Monday. It should be with you in three days. Is there anything else?"
    )
    assert pieces == [
        "Yes,",
        "it left on Monday.",
        "It should be with you in three days.",
        "Is there anything else?",
    ]


async def test_the_first_words_leave_before_the_answer_is_complete() -> None:
    """They are there as soon as they were said, not when the stream ends."""
    stream = FirstWordsTokenizer().stream()
    for piece in ("Of ", "course, ", "I"):
        stream.push_text(piece)
    assert (await anext(stream)).token == "Of course,"
    await stream.aclose()


async def test_each_answer_of_a_stream_starts_early() -> None:
    """After a flush the next words are first words again."""
    stream = FirstWordsTokenizer().stream()
    stream.push_text("Well, that is all.")
    stream.flush()
    stream.push_text("Also, have a nice day.")
    stream.end_input()
    assert [token.token async for token in stream] == ["Well,", "that is all.", "Also,", "have a nice day."]


@pytest.mark.parametrize("text", ["Hello", "It costs 12.50 dollars, plus tax.", "  ", "A. B. C.", "12,345"])
async def test_no_word_is_lost(text: str) -> None:
    """Whatever the cuts, the voice says the whole answer."""
    pieces = await spoken(*text)
    assert " ".join(pieces).split() == text.split()


async def test_a_title_is_not_sent_off_alone() -> None:
    """The stop of an abbreviation ends no clause."""
    assert (await spoken("Dr. Miller will call you back. Is that all right?"))[0] == "Dr. Miller will call"


async def test_line_breaks_do_not_hold_the_voice_back() -> None:
    """Each sentence leaves when the next one has begun, also where a model writes paragraphs."""
    stream = FirstWordsTokenizer().stream()
    stream.push_text("Yes, sure.\n\nThat is all right.\nYour order left on Monday. It will")
    pieces = [(await anext(stream)).token for _ in range(3)]
    assert re.sub(r"\s+", " ", " ".join(pieces)) == "Yes, sure. That is all right. Your order left on Monday."
    await stream.aclose()
