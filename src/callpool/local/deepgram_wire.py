"""Deepgram's messages: Results and their words, SpeechStarted, UtteranceEnd, Metadata, Error.

The model gives words without times, so the voiced part of a segment is shared out among its words (see
`word_times`). A word's confidence is how sure the voice detection was that someone spoke.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from callpool.local.hearing import ModelInfo
from callpool.local.listen_query import ListenQuery
from callpool.local.utterance import Segment
from callpool.local.voice_activity import RATE_HZ
from callpool.local.word_times import Word, spread

Message = dict[str, Any]
"""A JSON object on its way to a client."""


@dataclass
class Report:
    """Writes the messages of one request."""

    query: ListenQuery
    model: ModelInfo
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    model_id: str = ""
    _digest: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        self.model_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, self.model.name))

    def hash(self, payload: bytes) -> None:
        """Add what the client sent to the checksum in the metadata."""
        self._digest.update(payload)

    def alternative(self, words: Sequence[Word], confidence: float, language: str) -> Message:
        """One reading of the speech. `language` is told when the query asks for `multi`."""
        multi = self.query.language == "multi"
        entries: list[Message] = []
        for word in words:
            entry: Message = {
                "word": _bare(word.text),
                "start": round(word.start_s, 3),
                "end": round(word.end_s, 3),
                "confidence": round(confidence, 4),
            }
            if multi:
                entry["language"] = language
            if self.query.formatted:
                entry["punctuated_word"] = word.text
            entries.append(entry)
        shown = "punctuated_word" if self.query.formatted else "word"
        alternative: Message = {
            "transcript": " ".join(entry[shown] for entry in entries),
            "confidence": round(confidence, 4) if entries else 0.0,
            "words": entries,
        }
        if multi and entries:  # the plugin takes the first of an empty list, and fails
            alternative["languages"] = [language]
        return alternative

    def results(
        self,
        text: str,
        segment: Segment,
        *,
        language: str = "en",
        is_final: bool = False,
        speech_final: bool = False,
        from_finalize: bool = False,
    ) -> Message:
        """What was understood of a segment."""
        words = spread(text.split(), segment.voiced_from / RATE_HZ, segment.voiced_until / RATE_HZ)
        return {
            "type": "Results",
            "channel_index": [0, 1],
            "duration": round((segment.end - segment.start) / RATE_HZ, 3),
            "start": round(segment.start / RATE_HZ, 3),
            "is_final": is_final,
            "speech_final": speech_final,
            "channel": {"alternatives": [self.alternative(words, segment.confidence, language)]},
            "metadata": {
                "request_id": self.request_id,
                "model_info": self._model_info,
                "model_uuid": self.model_id,
            },
            "from_finalize": from_finalize,
        }

    def metadata(self, duration_s: float) -> Message:
        """What the request came to."""
        return {
            "transaction_key": "deprecated",
            "request_id": self.request_id,
            "sha256": self._digest.hexdigest(),
            "created": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "duration": round(duration_s, 3),
            "channels": 1,
            "models": [self.model_id],
            "model_info": {self.model_id: self._model_info},
        }

    @property
    def _model_info(self) -> Message:
        return {"name": self.model.name, "version": self.model.version, "arch": self.model.arch}


def _bare(word: str) -> str:
    """Lower case, without punctuation around it."""
    return re.sub(r"^\W+|\W+$", "", word).lower() or word


def speech_started(at: int) -> Message:
    """A voice was noticed; `at` in samples."""
    return {"type": "SpeechStarted", "channel": [0], "timestamp": round(at / RATE_HZ, 3)}


def utterance_end(last_word_end: int) -> Message:
    """Nothing was said for `utterance_end_ms`; `last_word_end` in samples."""
    return {"type": "UtteranceEnd", "channel": [0, 1], "last_word_end": round(last_word_end / RATE_HZ, 3)}


def schema_error(text: str, reason: str) -> Message:
    """A text message was not understood."""
    return {
        "type": "Error",
        "variant": "SchemaError",
        "description": f"Could not deserialize last text message: {reason}",
        "message": text,
    }
