"""Collects the tables of intake's database; each noun's store adds its own."""

from sqlalchemy import MetaData

metadata = MetaData()
