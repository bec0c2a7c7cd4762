"""Chains of models: when one fails, the next one goes on. A chain of a single model is that model itself."""

from callpool.fallback.answer import answering
from callpool.fallback.ears import listening
from callpool.fallback.speech import speaking

__all__ = ["answering", "listening", "speaking"]
