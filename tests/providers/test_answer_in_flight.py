"""An answer that goes on and on: what has come of it is known before anybody reports its usage."""

from __future__ import annotations

import asyncio

from chatting import completing, history, model_of

from callpool.fallback.answer import AnswerChain
from callpool.local.behaviour import Behaviour, Fault, Latency, Said, Script

LONG = "and then " * 5000


def saying(text: str) -> Behaviour:
    return Behaviour(latency=Latency(ttft=0.01), script=Script(says=[Said(text)]))


async def test_what_has_come_of_an_answer_is_known_while_it_goes_on() -> None:
    """It grows with each word, and stays what it was when the answer is cut off."""
    async with completing(saying(LONG)) as server:
        chain = AnswerChain([model_of(server)])
        came = []
        async with asyncio.timeout(10), chain.chat(chat_ctx=history(("user", "Go on."))) as stream:
            async for _ in stream:
                came.append(sum(chain.unreported.values()))
                if came[-1] > 200:
                    break
        assert came[-1] > came[0]
        assert chain.unreported[0] >= came[-1], "what was cut off is paid for, and nobody reports it"
        await chain.aclose()


async def test_what_is_reported_is_estimated_no_more() -> None:
    """Of an answer that came to its end, the provider has told its tokens."""
    async with completing(saying("Your order is on its way.")) as server:
        chain = AnswerChain([model_of(server)])
        async with asyncio.timeout(10), chain.chat(chat_ctx=history(("user", "Where is it?"))) as stream:
            assert [chunk async for chunk in stream]
        assert sum(chain.unreported.values()) == 0
        await chain.aclose()


async def test_the_model_that_answers_is_the_one_that_is_charged_for() -> None:
    """Not the one that should have."""
    away = Behaviour(latency=Latency(ttft=0.01), faults=[Fault("500", 1.0, "openai")])
    async with completing(away) as first, completing(saying(LONG)) as second:
        chain = AnswerChain([model_of(first), model_of(second)])
        async with asyncio.timeout(10), chain.chat(chat_ctx=history(("user", "Go on."))) as stream:
            async for _ in stream:
                if sum(chain.unreported.values()) > 200:
                    break
        assert chain.unreported[0] == 0
        assert chain.unreported[1] > 200
        await chain.aclose()


async def test_another_model_may_answer_instead() -> None:
    """Of a chain that is told so, nobody else is asked."""
    async with completing(saying("Dear words.")) as dear, completing(saying("Cheap words.")) as cheap:
        first, second = AnswerChain([model_of(dear)]), AnswerChain([model_of(cheap)])
        first.instead = second
        async with asyncio.timeout(10), first.chat(chat_ctx=history(("user", "Hello."))) as stream:
            said = "".join([chunk.delta.content or "" async for chunk in stream if chunk.delta])
        assert said == "Cheap words."
        await first.aclose()
        await second.aclose()
