"""Reads site packs from their folders, names every mistake with file and line, and cuts them into parts."""

from wangge.cli.packs.located import Located, Mistake, Place
from wangge.cli.packs.pack import Pack, read
from wangge.cli.packs.rules import check

__all__ = ["Located", "Mistake", "Pack", "Place", "check", "read"]
