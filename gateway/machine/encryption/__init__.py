"""The encrypted data partition: made once, opened at every start, and what opens it: the box, its TPM or a person.

An old key is out of it only once a new one opens it (docs/decisions/0052-data-keys.md).
"""
