"""One worker of the bench of timers, a process of its own: sweeps until nothing is armed.

It is the product's sweeper with one handler that notes what it was told of, in the same
transaction: a timer that fired twice would stand there twice.
"""

import asyncio
import os
import sys
from datetime import datetime

from sqlalchemy import text

from tongban_common.db import Database, Transaction
from tongban_common.timers import Due, Sweeper, on_due

KIND = "bench"
TOLD = "CREATE TABLE told (id bigint NOT NULL, worker int NOT NULL)"
_TELL = text("INSERT INTO told VALUES (:id, :worker)")
_ARMED = text("SELECT EXISTS (SELECT FROM timer WHERE state = 'armed' AND kind = :kind)")
_PAUSE = 0.2  # as the worker of a service has it


async def _nothing(_tx: Transaction, _subject: str) -> None:
    """A matter that nobody else moves."""


async def _told(tx: Transaction, _matter: object, due: Due) -> None:
    await tx.connection.execute(_TELL, {"id": due.id, "worker": os.getpid()})


def sweeper(db: Database) -> Sweeper:
    return Sweeper(db, [on_due(KIND, lock=_nothing, missed=_told)])


async def main(url: str, now: datetime) -> None:
    db = Database(url, pool=2)
    worker = sweeper(db)
    try:
        while True:
            await worker.sweep(now=now)
            async with db.reading() as reads:
                if not (await reads.execute(_ARMED, {"kind": KIND})).scalar_one():
                    return
            await asyncio.sleep(_PAUSE)
    finally:
        await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
