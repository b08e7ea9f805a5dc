"""A box made new, and its pictures carried out onto sticks. Never in an exam, and nothing else works meanwhile.

The screen asks, also that of a box without a panel (docs/decisions/0053-repair.md).
"""
