"""Durable state: files are the truth, SQLite is the index and the to-do list (see docs/decisions/0006-spool.md)."""
