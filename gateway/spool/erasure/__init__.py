"""Erasing for good: what would be lost, what forbids it, and that nothing of it stays, whenever a cut comes."""
