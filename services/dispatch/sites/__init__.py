"""What a site pack tells dispatch: its calendar, its limits, and who leads where."""
