"""Grids: the ground of a community, cut so that every point has one answer."""
