"""Criteria that only a language model can judge: polite, in plain words, without a promise."""

from __future__ import annotations

import json
from typing import Any

from livekit.agents import llm
from livekit.agents.evals import JudgeGroup
from livekit.agents.evals.judge import _LLMJudge

from callpool.evaluation.observed import ObservedCall
from callpool.evaluation.scenario import Scenario


async def judge(scenario: Scenario, call: ObservedCall, model: llm.LLM[Any]) -> list[str]:
    """What of a scenario's criteria the model finds not met, a line each. Maybe is not met."""
    failures = []
    for number, turn in enumerate(scenario.turns[: len(call.turns)], 1):
        failures += [
            f"turn {number} ({turn.label}): judge: {failure}"
            for failure in await _judge(turn.expect.judge, conversation(scenario, call, number), model)
        ]
    whole = conversation(scenario, call, len(call.turns))
    failures += [f"call: judge: {failure}" for failure in await _judge(scenario.judge, whole, model)]
    return failures


def conversation(scenario: Scenario, call: ObservedCall, turns: int) -> llm.ChatContext:
    """What was said and done up to a turn, for a model to read."""
    history = llm.ChatContext.empty()
    if call.greeting:
        history.add_message(role="assistant", content=call.greeting)
    for turn, observed in zip(scenario.turns[:turns], call.turns[:turns], strict=True):
        history.add_message(role="user", content=turn.say or f"({turn.label})")
        for index, tool in enumerate(observed.tools):
            arguments = json.dumps(dict(tool.args or {}), default=str)
            history.insert(
                llm.FunctionCall(call_id=f"{len(history.items)}-{index}", name=tool.name, arguments=arguments)
            )
        if observed.words:
            history.add_message(role="assistant", content=observed.words)
    return history


async def _judge(criteria: tuple[str, ...], history: llm.ChatContext, model: llm.LLM[Any]) -> list[str]:
    if not criteria:
        return []
    # Private, since the public judges bring instructions of their own. test_evaluation_judging.py fails when
    # it moves.
    judges = [_LLMJudge(instructions=text, name=f"{n}: {text}") for n, text in enumerate(criteria, 1)]
    result = await JudgeGroup(llm=model, judges=list(judges)).evaluate(history)
    failures = []
    for text, entry in zip(criteria, judges, strict=True):
        judgment = result.judgments.get(entry.name)
        if judgment is None:
            failures.append(f"{text!r} could not be judged: the model gave no verdict")
        elif not judgment.passed:
            failures.append(f"{text!r}: {judgment.verdict}: {' '.join(judgment.reasoning.split())}")
    return failures
