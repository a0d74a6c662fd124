"""Read-only copies of intake's directory: units, grids, people and their roles."""
