"""The catalogue: what a case may be, how long it may take, and when it counts as done."""
