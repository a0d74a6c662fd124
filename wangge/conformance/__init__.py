"""Plays the published contract against any program that claims to be a service, and reports point by point."""
