"""Notify's copy of who is who: units, grids, people and their roles."""
