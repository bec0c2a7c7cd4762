"""A call for pictures of it: eight turns, two jobs, an interruption, a provider that failed once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from callpool import ending
from callpool.call import Call, Caller
from callpool.cost import CostItem
from callpool.store.calls import Calls
from callpool.store.record import Event, Job, LatencyMs, StageEntry, ToolUse, Turn

_TURNS: Sequence[tuple[str, float, float, str, str, str, float, float]] = (
    # stage, from (s), spoken (s), caller, tool, agent, wait (s), playout (s)
    ("greeting", 0.5, 0.0, "", "", "Hello, thank you for calling. How can I help you?", 0.0, 2.7),
    (
        "greeting",
        4.0,
        2.6,
        "Hello, I would like to know where my order is.",
        "note_request",
        "What is your order number?",
        0.62,
        1.4,
    ),
    (
        "data_collection",
        9.2,
        3.1,
        "It is * * * * *.",
        "",
        "May I have your first and last name, please?",
        0.48,
        2.6,
    ),
    (
        "data_collection",
        16.0,
        1.7,
        "My name is James Miller.",
        "verify_caller",
        "One moment, please. Your order of wireless headphones was shipped and is on its way.",
        0.74,
        6.4,
    ),
    ("problem_solving", 25.4, 2.2, "When will it arrive?", "delivery_status", "It should", 1.93, 0.9),
    (
        "problem_solving",
        30.9,
        3.4,
        "Wait, can you send it to another address?",
        "change_address",
        "I can. What is the new address?",
        0.81,
        2.2,
    ),
    (
        "problem_solving",
        38.6,
        3.9,
        "To Oak Street, please.",
        "change_address",
        "Done. It goes to Oak Street.",
        0.9,
        2.9,
    ),
    ("closing", 47.2, 1.4, "Thank you, goodbye.", "end_call", "Thank you for calling. Goodbye.", 0.66, 1.7),
)


async def record_sample(
    calls: Calls, call_id: str, began: datetime, *, turns: int = len(_TURNS), over: bool = True
) -> None:
    """Write the first turns of it."""

    def at(seconds: float) -> datetime:
        return began + timedelta(seconds=seconds)

    call = Call(call_id, f"call-{call_id}", "callpool", caller=Caller("phone", "+49151"), started_at=began)
    call.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    first, second = (
        Job(f"AJ_{n}_{call_id}", f"pool-{n}-4711", "host-1", 4711 + n, at(30 * (n - 1))) for n in (1, 2)
    )
    await calls.claim(call, first)
    entered: set[str] = set()
    usd = 0.0
    for n, (stage, start, spoken, caller, tool, agent, wait, playout) in enumerate(_TURNS[:turns]):
        if n == 5:
            await calls.lose(call_id, first, ending.JOB_DIED, at(28.5))
            call.epoch = 2
            await calls.claim(call, second)
        if stage not in entered:
            entered.add(stage)
            await calls.stage_entered(call_id, StageEntry(stage, at(start), "balanced"))
        heard_s = start + spoken + wait
        tools = (ToolUse(tool, n != 5, 18.0, at(heard_s - 0.2)),) if tool else ()
        latency = (
            LatencyMs(300, 210, max(40, wait * 450), 90, wait * 1000, playout * 1000)
            if n
            else LatencyMs(playout=playout * 1000)
        )
        cost = 0.0011 + 0.0006 * n
        usd += cost
        await calls.record_turn(
            call_id,
            Turn(
                n,
                stage,
                caller or None,
                agent,
                n == 4,
                tools,
                latency,
                cost,
                call.trace_id,
                at(start),
                spoken * 1000 if n else None,
            ),
        )
    if turns > 4:
        await calls.record_event(call_id, Event(at(27.1), "provider_error", 4, "openai llm 429"))
        await calls.record_event(call_id, Event(at(29.9), "barge_in", 4, "0.21 s"))
    items = [
        CostItem("greeting", "deepgram", "nova-3", "audio_s", 52.0, usd * 0.3, usd * 0.3 / 52),
        CostItem("problem_solving", "openai", "gpt-4.1", "input_tokens", 5210.0, usd * 0.4, usd * 0.4 / 5210),
        CostItem("problem_solving", "cartesia", "sonic-3", "characters", 412.0, usd * 0.3, usd * 0.3 / 412),
    ]
    await calls.record_cost(call_id, first.job_id, items)
    if over:
        await calls.end(call_id, ending.GOODBYE, at(52.0), job_id=second.job_id)
