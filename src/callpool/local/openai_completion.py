"""Chat Completions on the wire: answers, written whole or in chunks."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from callpool.local.behaviour import Said
from callpool.local.openai_wire import CompletionRequest, Json, new_id, tokens

ARGUMENTS_PIECE = 12
"""Characters of a tool call's arguments in one chunk."""


@dataclass(frozen=True)
class Completion:
    """An answer, ready to be written whole or in chunks."""

    request: CompletionRequest
    words: tuple[str, ...]
    """The text in pieces; joined they are the text."""
    calls: tuple[Json, ...]
    cut: bool
    """The text was longer than the tokens allowed."""
    id: str = field(default_factory=lambda: new_id("chatcmpl-", 29))
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def of(cls, request: CompletionRequest, said: Said) -> Completion:
        words: list[str] = []
        left = request.tokens_at_most
        for index, word in enumerate(said.text.split()):
            piece = word if index == 0 else f" {word}"
            if left is not None:
                left -= tokens(piece)
                if left < 0:
                    return cls(request, tuple(words), (), True)
            words.append(piece)
        calls = tuple(
            {
                "id": new_id("call_", 24),
                "type": "function",
                "function": {"name": use.name, "arguments": json.dumps(use.arguments, ensure_ascii=False)},
            }
            for use in said.tools
        )
        return cls(request, tuple(words), calls, False)

    @property
    def finish_reason(self) -> str:
        return "length" if self.cut else "tool_calls" if self.calls else "stop"

    @property
    def usage(self) -> Json:
        written = "".join(self.words) + "".join(json.dumps(call["function"]) for call in self.calls)
        prompt, completion = self.request.prompt_tokens, tokens(written)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def whole(self) -> Json:
        message: Json = {
            "role": "assistant",
            "content": "".join(self.words) or None,
            "refusal": None,
            "annotations": [],
        }
        if self.calls:
            message["tool_calls"] = list(self.calls)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish_reason}
        return {**self._frame("chat.completion"), "choices": [choice], "usage": self.usage}

    def chunks(self) -> Iterator[Json]:
        """Role, words, calls in pieces, the reason to finish, and the usage if it was asked for."""
        yield self._chunk(
            {"role": "assistant", "content": "" if self.words or not self.calls else None, "refusal": None}
        )
        for word in self.words:
            yield self._chunk({"content": word})
        for index, call in enumerate(self.calls):
            function: Mapping[str, str] = call["function"]
            opening = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
            yield self._chunk({"tool_calls": [opening]})
            for start in range(0, len(function["arguments"]), ARGUMENTS_PIECE):
                piece = function["arguments"][start : start + ARGUMENTS_PIECE]
                yield self._chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        yield self._chunk({}, self.finish_reason)
        if self.request.include_usage:
            yield {**self._frame("chat.completion.chunk"), "choices": [], "usage": self.usage}

    def _chunk(self, delta: Json, finish_reason: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        chunk = {**self._frame("chat.completion.chunk"), "choices": [choice]}
        return {**chunk, "usage": None} if self.request.include_usage else chunk

    def _frame(self, kind: str) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.request.model,
            "service_tier": "default",
            "system_fingerprint": None,
        }
