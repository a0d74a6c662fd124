"""Dispatch 分派处置: who must do what by when, and whether it is done."""
