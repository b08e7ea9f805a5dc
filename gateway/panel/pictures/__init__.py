"""A capture's pictures for looking at and for callers. Never what is stored or delivered."""
