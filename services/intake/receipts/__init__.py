"""Receipts: the one answer to each message of a publisher."""
