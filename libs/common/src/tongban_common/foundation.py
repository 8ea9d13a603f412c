"""The MetaData of the tables that every service's database has: outbox, inbox, timers and kin."""

from sqlalchemy import MetaData

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


def named_metadata() -> MetaData:
    """A service's own MetaData: one shared by all would merge five databases in one process."""
    return MetaData(naming_convention=NAMES)


foundation = named_metadata()
