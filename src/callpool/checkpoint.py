"""What a job leaves for the one that takes its call up: everything that was said, found out and promised.

A checkpoint is written after each turn and each use of a tool, and read when a job claims a call that another
job served before. It holds what was said as it was said, and is deleted when the call has ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from livekit.agents import (
    AgentSession,
    ConversationItemAddedEvent,
    FunctionToolsExecutedEvent,
)
from livekit.agents.llm import ChatContext, ChatItem
from pydantic import TypeAdapter, ValidationError

from callpool.call import Call, Caller
from callpool.store.record import Turn
from callpool.understanding import Understanding

Save = Callable[[Callable[[], str]], None]
"""Takes what makes the document of a checkpoint."""

STILL_CHANGING = 8
"""How many of the newest items of a history may still be changed: an answer that is cut off, its metrics."""


class UnreadableCheckpoint(ValueError):
    """A checkpoint of another version, or of another roster."""


@dataclass(frozen=True)
class Checkpoint:
    """A call as it stood after its last turn."""

    stage: str
    language: str
    chose_language: bool
    profile: str | None
    caller: Caller
    started_at: datetime
    lasted_s: float
    refused_hand_offs: int
    understanding: Understanding
    turn: Turn
    """The last one, which may still be growing."""
    history: Sequence[str]
    """Each item as JSON."""
    state: Any
    """As the roster's `new_state` makes it, in plain values."""
    traceparent: str | None = None
    """Of the job's own span, so that the next job's can point to it."""

    @classmethod
    def of(cls, call: Call, turn: Turn, history: Sequence[str]) -> Checkpoint:
        """The call as it stands. `history`: of `History.documents`."""
        return cls(
            stage=call.stage,
            language=call.language,
            chose_language=call.chose_language,
            profile=call.profile,
            caller=call.caller,
            started_at=call.started_at,
            lasted_s=call.lasted_s,
            refused_hand_offs=call.refused_hand_offs,
            understanding=call.understanding,
            turn=turn,
            history=history,
            state=_adapter(type(call.state)).dump_python(call.state, mode="json"),
            traceparent=call.traceparent,
        )

    @classmethod
    def read(cls, document: str) -> Checkpoint:
        """Raises UnreadableCheckpoint."""
        try:
            checkpoint: Checkpoint = _adapter(cls).validate_json(document)
        except ValidationError as error:
            raise UnreadableCheckpoint(str(error)) from error
        return checkpoint

    def document(self) -> str:
        """The checkpoint as JSON."""
        return _adapter(Checkpoint).dump_json(self).decode()

    def restore(self, call: Call) -> ChatContext:
        """Make `call` what it was, and give its history. Raises UnreadableCheckpoint."""
        try:
            state = _adapter(type(call.state)).validate_python(self.state)
            history = ChatContext.from_dict({"items": [json.loads(item) for item in self.history]})
        except ValueError as error:  # a history that is no JSON, or anything that is not what it should be
            raise UnreadableCheckpoint(str(error)) from error
        end_before(history, time.time())
        call.stage = self.stage
        call.language = self.language
        call.chose_language = self.chose_language
        call.profile = self.profile
        call.caller = self.caller
        call.started_at = self.started_at
        call.before_s = self.lasted_s
        call.refused_hand_offs = self.refused_hand_offs
        call.understanding = self.understanding
        call.state = state
        call.resumes = self.traceparent
        return history


def end_before(history: ChatContext, now_s: float) -> None:
    """See to it that nothing in a history is later than now, seconds since 1970.

    The SDK sorts what is said into the history by its time: a clock that was set back, or that of the machine
    before this one, which was ahead, would have the caller's next words precede what they answer.
    """
    for item in history.items:
        item.created_at = min(item.created_at, now_s)


class History:
    """A history that grows, as JSON: what was said long ago is put into words once."""

    def __init__(self) -> None:
        self._settled: dict[str, str] = {}

    def documents(self, history: ChatContext) -> list[str]:
        """Each item of the history."""
        items = [item for item in history.items if item.type != "agent_config_update"]
        documents = [self._settled.get(item.id) or _document(item) for item in items[:-STILL_CHANGING]]
        self._settled = {item.id: made for item, made in zip(items, documents, strict=False)}
        return documents + [_document(item) for item in items[-STILL_CHANGING:]]


def _document(item: ChatItem) -> str:
    return json.dumps(ChatContext([item]).to_dict(exclude_timestamp=False)["items"][0])


class Checkpoints:
    """Hands the newest checkpoint on whenever something was said or done.

    `save` is given the work of making one, which is done when it is written: what comes in a burst is one.
    """

    def __init__(self, call: Call, turn: Callable[[], Turn], save: Save) -> None:
        self._call = call
        self._turn = turn
        self._save = save
        self._history = History()
        self._session: AgentSession[Call] | None = None

    def follow(self, session: AgentSession[Call]) -> None:
        """Listen to a session from now on."""
        self._session = session
        session.on("conversation_item_added", self._on_item)
        session.on("function_tools_executed", self._on_tools)

    def take(self) -> None:
        """Something has changed that no event tells of."""
        if self._session is not None and self._call.ending is None:
            self._save(self._document)

    def _document(self) -> str:
        assert self._session is not None
        history = self._history.documents(self._session.history)
        return Checkpoint.of(self._call, self._turn(), history).document()

    def _on_item(self, _: ConversationItemAddedEvent) -> None:
        self.take()

    def _on_tools(self, _: FunctionToolsExecutedEvent) -> None:
        self.take()


def warm_up(state: Any) -> None:
    """Build what reads and writes checkpoints of calls with such a state, before any caller waits."""
    for kind in (Checkpoint, type(state)):
        _adapter(kind)
    ChatContext.from_dict({"items": []})


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]
