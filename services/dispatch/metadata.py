"""The tables of dispatch: each noun's store adds its own."""

from sqlalchemy import MetaData

metadata = MetaData()
