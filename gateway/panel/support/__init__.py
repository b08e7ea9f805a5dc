"""What leaves the box for whoever helps from afar (docs/decisions/0043-service.md). No patient does."""
