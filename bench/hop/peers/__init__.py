"""The hop as a competent user of each other framework writes it."""
