"""The four-colour boards."""
