"""Chains of models: when one fails, the next one goes on, or the same one is asked again."""

from callpool.fallback.answer import answering
from callpool.fallback.ears import listening
from callpool.fallback.speech import speaking

__all__ = ["answering", "listening", "speaking"]
