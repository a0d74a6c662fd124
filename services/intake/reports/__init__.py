"""Reports: what was told, sorted and decided."""
