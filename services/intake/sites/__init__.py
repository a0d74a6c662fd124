"""Site packs as applied: a community's settings, and the door through which its whole directory comes."""
