"""The database edge: engine, transactions, and the naming convention of every table.

One edge action is one transaction and one commit. Events announced in a transaction are numbered
and stored last, just before that commit.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

import orjson
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tongban_common import outbox
from tongban_common.events import Event
from tongban_common.foundation import named_metadata

__all__ = [
    "Database",
    "Transaction",
    "is_transient",
    "named_metadata",
    "sqlstate",
]

# A lost client may not hold locks for long; a frozen one may not hold them at all.
_SESSION = {
    "application_name": "tongban",
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "timezone": "UTC",
}
_RETRIABLE = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300", "25P03"})


class Transaction:
    """Everything an operation does, or nothing. The edge that opened it commits it."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self._announced: list[Event] = []

    def publish(self, event: Event) -> None:
        """Announce it with the state it belongs to: numbered and stored at commit, sent after."""
        self._announced.append(event)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """A part that may fail alone: its rows and its announcements are undone together."""
        announced = len(self._announced)
        try:
            async with self.connection.begin_nested():
                yield
        except BaseException:
            del self._announced[announced:]
            raise

    async def store_announced(self) -> bool:
        """Take the shard locks, last before commit. True when there was anything to announce."""
        announced, self._announced = self._announced, []
        await outbox.store(self.connection, announced)
        return bool(announced)


class Database:
    def __init__(self, url: str, *, pool: int = 10) -> None:
        self._engine = _engine(url, pool)
        # A pool of their own: a request that holds its transaction may read a policy meanwhile,
        # and with one pool as many such requests as it has places would wait for each other.
        reads = _engine(url, max(4, pool // 2))
        self._reads = reads.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Transaction]:
        async with self._engine.begin() as connection:
            tx = Transaction(connection)
            yield tx
            await tx.store_announced()

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """A connection for reads: each statement alone, no locks, no transaction to leave open."""
        async with self._reads.connect() as connection:
            yield connection

    async def now(self) -> datetime:
        """The database's clock, which deadlines and leases go by; app clocks drift apart."""
        async with self.reading() as connection:
            moment: datetime = (
                await connection.execute(text("SELECT clock_timestamp()"))
            ).scalar_one()
            return moment

    async def close(self) -> None:
        await self._engine.dispose()
        await self._reads.dispose()


def _engine(url: str, pool: int) -> AsyncEngine:
    return create_async_engine(
        url,
        pool_size=pool,
        max_overflow=0,
        pool_timeout=10,
        hide_parameters=True,  # a fault is logged, and its message would quote what was stored
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={"server_settings": _SESSION},
    )


def is_transient(fault: BaseException) -> bool:
    """True where trying the same again may succeed: lost connection, deadlock, lock timeout."""
    if isinstance(fault, ExceptionGroup):
        return any(is_transient(part) for part in fault.exceptions)
    if isinstance(fault, DBAPIError):
        if fault.connection_invalidated or isinstance(fault, InterfaceError):
            return True
        return isinstance(fault, OperationalError) or sqlstate(fault) in _RETRIABLE
    return isinstance(fault, OSError | TimeoutError)


def sqlstate(fault: DBAPIError) -> str | None:
    code = getattr(fault.orig, "sqlstate", None) or getattr(fault.orig, "pgcode", None)
    return None if code is None else str(code)
