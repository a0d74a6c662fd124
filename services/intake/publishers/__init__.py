"""Publishers: outside systems that may tell of incidents."""
