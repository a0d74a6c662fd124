"""Collects the tables of notify's nouns."""

from sqlalchemy import MetaData

metadata = MetaData()
