"""Idempotency-Key: the answer is stored in the transaction of the effect.

Same key and body → the same answer; same key with another body → refused; a concurrent twin waits
for the first and then gets its answer. Nothing is stored for what failed.
"""

import hashlib
from dataclasses import dataclass

import orjson
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
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from tongban_common.db import Transaction
from tongban_common.errors import BadInput, RuleViolation
from tongban_common.foundation import foundation

KEEP_DAYS = 7

idempotency = Table(
    "idempotency",
    foundation,
    Column("principal", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("status", SmallInteger),
    Column("headers", JSONB),
    Column("body", LargeBinary),
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


class BadIdempotencyKey(BadInput):
    code = "idempotency.bad_key"


class KeyReused(RuleViolation):
    code = "idempotency.key_reused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Who asks what under which key. `fingerprint` is of the canonical body and the address."""

    principal: str
    route: str
    key: str
    fingerprint: str

    @classmethod
    def of(cls, *, principal: str, route: str, key: str, target: str, body: bytes) -> "Claim":
        """Raises BadIdempotencyKey unless the key has 8 to 128 printable ASCII characters."""
        if not (8 <= len(key) <= 128 and key.isascii() and key.isprintable()):
            raise BadIdempotencyKey("Idempotency-Key 须为8至128个可见ASCII字符")
        digest = hashlib.sha256(target.encode() + b"\n" + _canonical(body))
        return cls(principal=principal, route=route, key=key, fingerprint=digest.hexdigest())


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


async def claim_key(tx: Transaction, claim: Claim) -> StoredAnswer | None:
    """Take the key, or the answer it already has. Waits while a twin is under way.

    Raises KeyReused when the key came with another request before.
    """
    of = _of(claim)
    taken = await tx.connection.execute(_TAKE, {**of, "of_request": claim.fingerprint})
    if taken.one_or_none() is not None:
        return None
    row = (await tx.connection.execute(_FIND, of)).one()
    if row.fingerprint != claim.fingerprint:
        raise KeyReused("该 Idempotency-Key 已用于另一请求")
    return StoredAnswer(row.status, row.headers, row.body)


async def store_answer(tx: Transaction, claim: Claim, answer: StoredAnswer) -> None:
    values = {"of_status": answer.status, "of_headers": answer.headers, "of_body": answer.body}
    await tx.connection.execute(_STORE, {**_of(claim), **values})


def _of(claim: Claim) -> dict[str, object]:
    return {"of_principal": claim.principal, "of_route": claim.route, "of_key": claim.key}


def _canonical(body: bytes) -> bytes:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS)
    except orjson.JSONDecodeError:
        return body
