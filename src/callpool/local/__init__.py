"""One machine: the local providers, the LiveKit server, and `callpool up`."""
