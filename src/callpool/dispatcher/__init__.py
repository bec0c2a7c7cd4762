"""The dispatcher: sees to it that every caller has an agent, and no caller two.

It compares what is with what should be, again and again: rooms and participants as the LiveKit server lists
them, calls and workers as the store knows them. It keeps nothing that it could not find out again, so it may
be killed at any time, and several may run.
"""

WEBHOOK_PATH = "/webhooks/livekit"
"""Where it takes the LiveKit server's webhooks."""
