"""A deterministic stand-in for a language model. It is NOT a language model.

It reads the tools that a request offers and the conversation, and then calls a tool whose parameters it
can fill from what the caller said, asks for the first one missing, or speaks a tool's result. It draws
no random numbers and keeps nothing between requests: the same request always gets the same answer. It
never makes a value up.

Reading order: `dialogue` (what was said), `gloss` (German and Spanish as English words), `offered` (the
tools), `choosing` (which tool is meant), `filling` (what its parameters are), `memory` and `known` (what need
not be asked again), `requests` (what the caller wants done), `purpose` (what the agent is there for),
`answering` (what to do about it all), `telling` (how a result is spoken), `rules` (the YAML beside an agent).
`english` holds the words that these need, `sayings` the sentences of its own in each language.

It cannot drive a tool that needs a nested object, an array of objects or arrays, a union of types, or a value
that nobody says aloud (a base64 string, a coordinate, a code that mixes letters and digits); it does no
arithmetic, keeps no plan beyond the wishes of a turn, and understands no wish whose words share nothing
with the tool, its description, the synonyms or a rule.
"""

from callpool.local.standin.answering import StandIn

__all__ = ["StandIn"]
