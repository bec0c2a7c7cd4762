"""The synthetic caller: `callpool call`, and a library for tests and benchmarks."""

from callpool.caller.call import Answer, BargeIn, JoinError, SyntheticCaller
from callpool.caller.conversation import run
from callpool.caller.sound import from_pcm, read_wav
from callpool.caller.voice import Spoken

__all__ = ["Answer", "BargeIn", "JoinError", "Spoken", "SyntheticCaller", "from_pcm", "read_wav", "run"]
