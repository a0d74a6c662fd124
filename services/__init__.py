"""The services of Wangge, each of which can be run, scaled and replaced without the others."""
