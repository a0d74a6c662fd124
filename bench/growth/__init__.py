"""Measures what the services do while their databases grow: the same questions at 10 thousand, 100 thousand, 1 million cases."""
