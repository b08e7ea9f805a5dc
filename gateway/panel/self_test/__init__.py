"""The hardware self-test of the box: what a service engineer runs once a year, at the screen or by a command.

What is known already is not measured again: sources, pedals, heat and power are capture's to say, network and clock
root's (docs/decisions/0055-self-test.md).
"""
