"""Score entries: recorded, reviewed, posted, reversed."""
