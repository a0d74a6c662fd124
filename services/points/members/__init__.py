"""The party members who are scored."""
