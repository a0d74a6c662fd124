"""Cases: from a report to the answer that its reporters get."""
