"""Manifests: every message of a publisher in a day, counted, with a digest to compare by."""
