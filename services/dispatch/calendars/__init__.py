"""Work calendars and limits: when something is due, and how much work time has passed."""
