"""People of the directory, their roles, and their names apart."""
