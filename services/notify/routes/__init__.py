"""Which fact is told to whom."""
