"""What one community tells its people, by which rules."""
