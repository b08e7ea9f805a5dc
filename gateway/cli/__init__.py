"""The command line: one module a command. Commands import what they need when they run: `--help` is instant."""
