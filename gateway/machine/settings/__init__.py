"""Makes the machine what machine.toml says: one after the other, and what was set over the network on trial first.

Whatever is wrong with the file, the box keeps a network (docs/decisions/0051-machine.md).
"""
