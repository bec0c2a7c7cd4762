"""Answers the telephone of a restaurant: the example that `callpool new` writes, under a name of your own."""
