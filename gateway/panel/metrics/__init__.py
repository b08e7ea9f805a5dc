"""The box in numbers, for the clinic's monitoring (docs/decisions/0045-metrics.md). Knows no patient."""
