"""The versioned rules by which points are earned."""
