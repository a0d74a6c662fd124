"""Categories: what kind of thing a report tells of."""
