"""Wangge: the library that the services share (chassis, contracts) and the `wangge` command."""
