"""When a job beats, in a fake session on a fake clock."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import UserInputTranscribedEvent

from callpool import ending, settings
from callpool.call import Call
from callpool.line import Beat, Farewell, Hello, Message
from callpool.pulse import ENDING_S, SPEECH_S, Patience, Progress, Pulse, attended
from fake_session import FakeSession

PATIENCE = Patience(answer_s=30, silence_s=10, monologue_s=45)
HELLO = Hello("AJ_1", "c_1", 4711)


class FakeLine:
    """A line that breaks when a test says so, and keeps what was said."""

    def __init__(self) -> None:
        self.is_open = True
        self.said: list[Message] = []

    async def open(self, hello: Hello) -> None:
        self.is_open = True
        self.said.append(hello)

    def say(self, message: Message) -> None:
        self.said.append(message)


class Ward:
    """A call whose pulse is taken, second by second."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.attended = True
        self.session = FakeSession()
        self.line = FakeLine()
        self.progress = Progress(PATIENCE, lambda: self.attended, clock=lambda: self.now_s)
        self._ticks: asyncio.Queue[float] = asyncio.Queue()
        line: Any = self.line
        self.pulse = Pulse(line, HELLO, self.progress, clock=lambda: self.now_s, sleep=self._sleep)

    async def _sleep(self, _: float) -> None:
        self.now_s += await self._ticks.get()

    def begin(self, *, greeted: bool = True) -> Ward:
        """The session runs, and the caller is there."""
        session: Any = self.session
        self.progress.follow(session)
        if greeted:
            self.session.agent("speaking")
        self.session.agent("listening")
        return self

    def hear(self, words: str = "Hello?") -> None:
        """The caller's words arrive."""
        event = UserInputTranscribedEvent(transcript=words, is_final=True)
        self.session.emit("user_input_transcribed", event)

    async def pass_by(self, seconds: int, step_s: float = 1.0) -> int:
        """Let time pass; give how often the job beat in it."""
        before = self.line.said.count(Beat())
        for _ in range(seconds):
            self._ticks.put_nowait(step_s)
            for _ in range(4):
                await asyncio.sleep(0)
        return self.line.said.count(Beat()) - before

    async def is_found_after(self, most_s: int = 1000) -> int:
        """For how many seconds the job still beats. The pulse stays away from then on."""
        beats = await self.pass_by(most_s)
        assert await self.pass_by(5) == 0, f"the pulse goes on after {most_s} s"
        return beats


@pytest.fixture
async def ward() -> Any:
    ward = Ward()
    yield ward
    await ward.pulse.stop()


async def test_a_call_that_gets_on_beats_each_second(ward: Ward) -> None:
    """The agent and its caller talk for ten minutes."""
    ward.begin()
    for _ in range(20):
        ward.session.caller("speaking")
        ward.hear()
        assert await ward.pass_by(10) == 10
        ward.session.caller("listening")
        ward.session.agent("thinking")
        assert await ward.pass_by(5) == 5
        ward.session.agent("speaking")
        assert await ward.pass_by(15) == 15
        ward.session.agent("listening")


async def test_a_session_that_does_not_start_is_found(ward: Ward) -> None:
    """Whatever it waits for: the room, a server, a lock."""
    ward.session.agent_state = "initializing"
    session: Any = ward.session
    ward.progress.follow(session)
    ward.attended = False  # it is not in the room
    assert await ward.is_found_after() == 30


async def test_a_job_that_makes_no_session_is_found(ward: Ward) -> None:
    """It hangs before it comes to that."""
    assert await ward.is_found_after() == 30


async def test_a_caller_who_is_not_greeted_is_found(ward: Ward) -> None:
    """They are in the room, and nobody speaks to them."""
    ward.begin(greeted=False)
    assert await ward.is_found_after() == 30


async def test_an_answer_that_never_comes_is_found(ward: Ward) -> None:
    """A tool that awaits what does not happen: the loop runs, and the caller hears nothing."""
    ward.begin()
    ward.hear()
    ward.session.agent("thinking")
    assert await ward.is_found_after() == 30


@pytest.mark.parametrize("sign", ["function_tools_executed", "conversation_item_added", "error"])
async def test_an_answer_that_takes_several_steps_is_waited_for(ward: Ward, sign: Any) -> None:
    """Each tool that has come back, and each model that has given up, is a sign of life."""
    ward.begin()
    ward.session.agent("thinking")
    for _ in range(3):
        assert await ward.pass_by(29) == 29
        ward.session.emit(sign, SimpleNamespace())
    assert await ward.is_found_after() == 30


async def test_a_caller_who_talks_on_is_waited_for(ward: Ward) -> None:
    """Words that are ready wait until the caller is silent; so does a line full of noise."""
    ward.begin()
    ward.session.agent("thinking")
    ward.session.caller("speaking")
    assert await ward.pass_by(200) == 200
    ward.session.caller("listening")
    assert await ward.pass_by(30) == 30
    assert await ward.pass_by(5) == 0


async def test_a_silent_caller_who_is_not_asked_for_is_found(ward: Ward) -> None:
    """After `silence_s` they are spoken to; when not even that happens, nothing happens any more."""
    ward.begin()
    assert await ward.is_found_after() == 40


async def test_a_caller_who_asks_time_and_again_is_found(ward: Ward) -> None:
    """Each question begins a new answer, and none is ever heard."""
    ward.begin()
    beats = 0
    for _ in range(30):
        ward.session.caller("speaking")
        ward.hear()
        beats += await ward.pass_by(2)
        ward.session.caller("listening")
        ward.session.agent("thinking")
        beats += await ward.pass_by(5)
        ward.session.agent("listening")
    assert 80 <= beats <= 90


async def test_words_while_the_agent_speaks_want_no_answer(ward: Ward) -> None:
    """They are murmurs and echoes; the question after a silence comes first."""
    ward.begin()
    ward.session.agent("speaking")
    ward.hear("Mhm.")
    assert await ward.pass_by(100) == 100
    ward.session.agent("listening")
    assert await ward.pass_by(40) == 40


async def test_a_long_speech_is_believed_an_endless_one_is_not(ward: Ward) -> None:
    """Terms and conditions take minutes."""
    ward.begin()
    ward.session.agent("speaking")
    assert await ward.is_found_after() == SPEECH_S


async def test_a_call_that_waits_for_its_caller_is_left_alone(ward: Ward) -> None:
    """Their connection dropped in the middle of an answer: it is held for them, for as long as is set."""
    ward.begin()
    ward.hear()
    ward.session.agent("thinking")
    await ward.pass_by(20)
    ward.attended = False
    assert await ward.pass_by(3600) == 3600
    ward.attended = True
    assert await ward.pass_by(30) == 30, "and the time before does not count"
    assert await ward.pass_by(5) == 0


async def test_a_job_that_does_not_end_is_found(ward: Ward) -> None:
    """Last writes may take a while, but nobody waits for ever for its place in the worker."""
    ward.begin()
    ward.session.agent("thinking")
    ward.attended = False
    await ward.pass_by(20)
    ward.session.emit("close", SimpleNamespace())
    assert await ward.is_found_after() == ENDING_S


async def test_a_call_that_gets_on_again_beats_again(ward: Ward) -> None:
    """The worker may have more patience than the job."""
    ward.begin()
    ward.session.agent("thinking")
    await ward.is_found_after()
    ward.session.agent("speaking")
    assert await ward.pass_by(10) == 10


async def test_a_machine_that_was_suspended_has_not_left_its_callers_waiting(ward: Ward) -> None:
    """An hour passes between two beats."""
    ward.begin()
    ward.session.agent("thinking")
    await ward.pass_by(20)
    assert await ward.pass_by(1, step_s=3600) == 1
    assert await ward.pass_by(29) == 29


async def test_a_line_that_broke_is_opened_again(ward: Ward) -> None:
    """Else a job would be killed for the line's fault."""
    ward.begin()
    ward.line.is_open = False
    ward.line.said.clear()
    await ward.pass_by(2)
    assert ward.line.said == [HELLO, Beat(), Beat()]


async def test_a_call_that_is_over_says_farewell(ward: Ward) -> None:
    """So that nobody waits for another beat."""
    ward.begin()
    await ward.pass_by(1)
    await ward.pulse.stop()
    assert ward.line.said[-1] == Farewell()
    assert await ward.pass_by(3) == 0


@pytest.mark.parametrize(
    ("kind", "there"),
    [
        (rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD, True),
        (rtc.ParticipantKind.PARTICIPANT_KIND_SIP, True),
        (rtc.ParticipantKind.PARTICIPANT_KIND_AGENT, False),
        (rtc.ParticipantKind.PARTICIPANT_KIND_EGRESS, False),
    ],
)
def test_a_caller_is_somebody_who_calls(kind: int, there: bool) -> None:
    """Neither the ghost of the agent before nor a recorder is waited for."""
    assert attended(room(kind), Call("c", "r", "callpool")) is there


def test_nobody_is_waited_for_while_the_way_to_the_server_is_lost() -> None:
    """Nor in a call that has ended."""
    call = Call("c", "r", "callpool")
    assert attended(room(), call)
    for state in (rtc.ConnectionState.CONN_RECONNECTING, rtc.ConnectionState.CONN_DISCONNECTED):
        assert not attended(room(state=state), call)
    call.end(ending.GOODBYE)
    assert not attended(room(), call)


def room(
    kind: int = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
    state: int = rtc.ConnectionState.CONN_CONNECTED,
) -> Any:
    return SimpleNamespace(
        connection_state=state, remote_participants={"someone": SimpleNamespace(kind=kind)}
    )


def test_patience_comes_from_the_settings() -> None:
    """A tool that takes longer has its job's patience raised."""
    given = settings.load({"CALLPOOL_JOB_ANSWER_S": "90", "CALLPOOL_SILENCE_S": "20"})
    assert Patience.of(given) == Patience(90, 20, 45)
