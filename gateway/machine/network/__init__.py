"""The box's network: its ports, how they are, and the files of the programs that make it what IT wants.

What goes into a file is text from values (docs/decisions/0051-machine.md).
"""
