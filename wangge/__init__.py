"""Wangge: the library that the services share (chassis, contracts) and the `wangge` command."""

__version__ = "0.1.0"
