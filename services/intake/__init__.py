"""采集受理: decides what was reported, where, by whom, and whether it is new; keeps the directory."""
