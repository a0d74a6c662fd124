"""The metadata on which every noun of points hangs its tables."""

from sqlalchemy import MetaData

metadata = MetaData()
