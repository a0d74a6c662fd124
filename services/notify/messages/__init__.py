"""One notice to one recipient by one channel, and how it arrived."""
