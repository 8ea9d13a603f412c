"""The names of units, as intake announces them."""

from sqlalchemy import Column, Table, Text
from sqlalchemy.dialects.postgresql import insert

from tongban_common.db import Transaction
from tongban_evaluation.store import metadata

unit = Table(
    "unit",
    metadata,
    Column("code", Text, primary_key=True),
    Column("name", Text, nullable=False),
)


async def keep_name(tx: Transaction, *, code: str, name: str) -> None:
    await tx.connection.execute(
        insert(unit)
        .values(code=code, name=name)
        .on_conflict_do_update(index_elements=[unit.c.code], set_={"name": name})
    )
