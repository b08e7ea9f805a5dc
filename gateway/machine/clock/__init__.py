"""The box's clock: where its time comes from, whether it can be believed, and setting it by hand.

A clock that nobody set since the start counts as wrong (docs/decisions/0051-machine.md).
"""
