"""Where somebody can be reached outside the inbox."""
