"""Idempotency-Key: the answer is stored in the transaction of the effect.

Same key and body → the same answer; same key with another body → refused; a concurrent twin waits
for the first and then gets its answer. Nothing is stored for what failed.

An answer is stored sealed, for it may name people, and what it answered only as a keyed digest. One
that must not be told twice (a disclosure, a stream) is not stored: its twin is refused. Keys that
are older than the setting `idempotency_days` are purged.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from python_multipart.multipart import parse_options_header
from sqlalchemy import (
    Column,
    DateTime,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    bindparam,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from tongban_common.db import Database, Transaction
from tongban_common.errors import BadInput, Conflict, RuleViolation
from tongban_common.foundation import foundation
from tongban_common.privacy import SealBroken, Sealer
from tongban_common.working_days import SHANGHAI

_PURGED_AT_ONCE = 5_000

idempotency = Table(
    "idempotency",
    foundation,
    Column("principal", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", SmallInteger),
    Column("headers", JSONB),
    Column("body", LargeBinary),  # sealed; none where the answer may not be told again
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
# Built once: a statement that is put together anew for each request costs more than it does.
_MINE = (
    idempotency.c.principal == bindparam("of_principal"),
    idempotency.c.route == bindparam("of_route"),
    idempotency.c.key == bindparam("of_key"),
)
_TAKE = (
    insert(idempotency)
    .values(
        principal=bindparam("of_principal"),
        route=bindparam("of_route"),
        key=bindparam("of_key"),
        fingerprint=bindparam("of_request"),
    )
    .on_conflict_do_nothing()
    .returning(idempotency.c.key)
)
_FIND = select(idempotency).where(*_MINE)
_STORE = (
    update(idempotency)
    .where(*_MINE)
    .values(
        status=bindparam("of_status"), headers=bindparam("of_headers"), body=bindparam("of_body")
    )
)
# The oldest stand first in the table, so that no index is kept for this alone.
_PURGE = text(
    """
    DELETE FROM idempotency WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM idempotency WHERE created_at < :before
      LIMIT :most FOR UPDATE SKIP LOCKED
    ))
    """
)


class BadIdempotencyKey(BadInput):
    code = "idempotency.bad_key"


class KeyReused(RuleViolation):
    code = "idempotency.key_reused"


class AnswerNotKept(Conflict):
    code = "idempotency.answer_not_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who asks what under which key. `fingerprint` is of the canonical body, the address and the
    operation's own headers; it is keyed, because a bare digest of a body with nothing but a phone
    number leads back to it."""

    principal: str
    route: str
    key: str
    fingerprint: str

    @classmethod
    def of(
        cls, *, principal: str, route: str, key: str, target: str, body: bytes, sealer: Sealer
    ) -> "Claim":
        """Raises BadIdempotencyKey unless the key has 8 to 128 printable ASCII characters."""
        if not (8 <= len(key) <= 128 and key.isascii() and key.isprintable()):
            raise BadIdempotencyKey("Idempotency-Key 须为8至128个可见ASCII字符")
        digest = hashlib.sha256(target.encode() + b"\n" + body)
        fingerprint = sealer.index(digest.hexdigest(), context="idempotency").hex()
        return cls(principal=principal, route=route, key=key, fingerprint=fingerprint)

    @property
    def context(self) -> str:
        """What the sealed answer is tied to."""
        return f"idempotency:{self.principal}:{self.route}:{self.key}"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    headers: dict[str, str]
    body: bytes | None  # None: not to be told again


async def claim_key(tx: Transaction, claim: Claim, sealer: Sealer) -> StoredAnswer | None:
    """Take the key, or the answer it already has. Waits while a twin is under way.

    Raises KeyReused when the key came with another request before, and AnswerNotKept when that
    request was done but its answer is not here: not stored, or sealed under another secret.
    """
    of = _of(claim)
    while True:
        taken = await tx.connection.execute(_TAKE, {**of, "of_request": claim.fingerprint})
        if taken.one_or_none() is not None:
            return None
        row = (await tx.connection.execute(_FIND, of)).one_or_none()
        if row is not None:  # else purged in between
            break
    if row.fingerprint != claim.fingerprint:
        raise KeyReused("该 Idempotency-Key 已用于另一请求")
    try:
        if row.body is not None:
            body = sealer.open_bytes(row.body, context=claim.context)
            return StoredAnswer(row.status, row.headers, body)
    except SealBroken:
        pass
    raise AnswerNotKept(
        "使用该 Idempotency-Key 的请求已经办理，其答复不留存，不能再次给出；"
        "确需再次查看或导出的，请换用新的 Idempotency-Key 重新提出",
        done_at=row.created_at.astimezone(SHANGHAI),
    )


async def store_answer(tx: Transaction, claim: Claim, answer: StoredAnswer, sealer: Sealer) -> None:
    body = answer.body
    sealed = None if body is None else sealer.seal_bytes(body, context=claim.context)
    values = {"of_status": answer.status, "of_headers": answer.headers, "of_body": sealed}
    await tx.connection.execute(_STORE, {**_of(claim), **values})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pieces:
    """Of a request that is done piece by piece, each in a transaction of its own.

    One that was cut off has done some: repeated under its key it does the others, and tells of
    all.
    """

    principal: str
    route: str
    key: str
    sealer: Sealer

    async def once(
        self, tx: Transaction, piece: str, asked: bytes, do: Callable[[], Awaitable[bytes]]
    ) -> bytes:
        """What `do` gives, or gave before. Raises KeyReused where the piece asked for another
        thing then.
        """
        claim = Claim.of(
            principal=self.principal,
            route=f"{self.route} {piece}",
            key=self.key,
            target=piece,
            body=asked,
            sealer=self.sealer,
        )
        stored = await claim_key(tx, claim, self.sealer)
        if stored is not None and stored.body is not None:
            return stored.body
        told = await do()
        await store_answer(tx, claim, StoredAnswer(200, {}, told), self.sealer)
        return told


class Purge:
    """Removes the keys that are older than `days`, at most once an hour; several may run at once.

    A request repeated after that is a new request.
    """

    def __init__(self, db: Database, *, days: int) -> None:
        self._db = db
        self._age = timedelta(days=days)
        self._next: datetime | None = None

    async def __call__(self, now: datetime) -> int:
        """Returns how many. `now` is the database's, as `created_at` is."""
        if self._next is not None and now < self._next:
            return 0
        total = 0
        values = {"before": now - self._age, "most": _PURGED_AT_ONCE}
        while True:
            async with self._db.transaction() as tx:
                done = (await tx.connection.execute(_PURGE, values)).rowcount
            total += done
            if done < _PURGED_AT_ONCE:
                break
        self._next = now + timedelta(hours=1)
        return total


def _of(claim: Claim) -> dict[str, object]:
    return {"of_principal": claim.principal, "of_route": claim.route, "of_key": claim.key}


def canonical(body: bytes, content_type: str) -> bytes:
    """A client draws the boundary of a multipart body anew each time: it says nothing."""
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        drawn = options.get(b"boundary", b"")
        return body.replace(b"--" + drawn, b"--") if drawn else body
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body
