"""A service of one noun that does nothing but show how the chassis treats it."""
