"""The site packs that were applied here."""
