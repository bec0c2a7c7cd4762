"""How a call ends: a result and a reason, each from a closed set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Result = Literal["completed", "transferred", "abandoned", "failed", "unknown"]
Reason = Literal[
    "goodbye",  # the agent and the caller took leave of each other
    "to_person",  # a person takes over: what they need is in the `transfers` table
    "silence",  # the caller did not answer any more
    "time_is_up",  # the call had lasted as long as one may
    "budget_spent",  # the call had cost as much as one may
    "caller_left",  # the caller hung up first
    "connection_lost",  # the caller's connection dropped and did not come back
    "no_caller",  # nobody came, or the room was closed before
    "server_lost",  # the LiveKit server, or the way to it, was lost
    "provider_failed",  # speech or language model failed beyond what retries mend
    "job_died",  # the job's process ended without a word
    "job_failed",  # the job met an error of its own
    "agent_removed",  # the agent was put out of the room
    "too_many_restarts",  # job after job died in it
    "worker_stopped",  # the worker had to stop before the call was over
    "worker_died",  # the worker and its jobs ended without a word
]


@dataclass(frozen=True)
class Ending:
    """The last line of a call record."""

    result: Result
    reason: Reason


GOODBYE = Ending("completed", "goodbye")
TRANSFERRED = Ending("transferred", "to_person")
SILENCE = Ending("completed", "silence")
TIME_IS_UP = Ending("completed", "time_is_up")
BUDGET_SPENT = Ending("completed", "budget_spent")
CALLER_LEFT = Ending("abandoned", "caller_left")
CONNECTION_LOST = Ending("abandoned", "connection_lost")
NO_CALLER = Ending("abandoned", "no_caller")
SERVER_LOST = Ending("failed", "server_lost")
PROVIDER_FAILED = Ending("failed", "provider_failed")
JOB_DIED = Ending("failed", "job_died")
JOB_FAILED = Ending("failed", "job_failed")
WORKER_DIED = Ending("unknown", "worker_died")
WORKER_STOPPED = Ending("failed", "worker_stopped")
AGENT_REMOVED = Ending("failed", "agent_removed")
TOO_MANY_RESTARTS = Ending("failed", "too_many_restarts")

ENDINGS = tuple(value for value in list(globals().values()) if isinstance(value, Ending))
"""All of them."""

RECOVERABLE = (AGENT_REMOVED, JOB_DIED, JOB_FAILED, SERVER_LOST, WORKER_DIED, WORKER_STOPPED)
"""A call that ends so goes on as soon as another job takes it up."""
