"""The periods in which scores are counted."""
