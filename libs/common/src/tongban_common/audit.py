"""An append-only record of who did or saw what. Each row carries the hash of the one before."""

import hashlib
from datetime import datetime

import orjson
from sqlalchemy import BigInteger, Column, DateTime, Identity, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import JSONB

from tongban_common.db import Transaction
from tongban_common.foundation import foundation

audit = Table(
    "audit",
    foundation,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)


async def record(
    tx: Transaction, *, actor: str, action: str, subject: str, at: datetime, **facts: str
) -> None:
    """Append one row in the caller's transaction. `facts` hold no personal data.

    The chain has one writer at a time: it is for rare, weighty acts (an unmasking, an approval).
    """
    await tx.connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('tongban audit'))"))
    last = await tx.connection.execute(text("SELECT hash FROM audit ORDER BY id DESC LIMIT 1"))
    body = orjson.dumps(
        [at.isoformat(), actor, action, subject, facts], option=orjson.OPT_SORT_KEYS
    )
    chained = hashlib.sha256((last.scalar() or b"") + body).digest()
    await tx.connection.execute(
        audit.insert().values(
            at=at, actor=actor, action=action, subject=subject, facts=facts, hash=chained
        )
    )
