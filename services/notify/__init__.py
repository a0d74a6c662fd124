"""Notify 通知: who must know, by which channel, and did it arrive."""
