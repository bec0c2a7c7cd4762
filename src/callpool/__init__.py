"""callpool: a worker-pool voice agent service on the LiveKit Agents SDK."""

__version__ = "0.1.0"
