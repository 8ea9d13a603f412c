"""The tables of Open311: its keys, what was filed through it, and the news that clients sent.

A person's name, phone and mail are in none of them: they go under seal with the complainants.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Row,
    Table,
    Text,
    UniqueConstraint,
    case,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as insert_or_not
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.db import Transaction
from tongban_common.errors import NotFound
from tongban_hotline_dispatch.domain.open311.filing import Filing, News
from tongban_hotline_dispatch.domain.open311.services import BadKey, Kind, TooOften
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.tickets import ticket, ticket_move

_MOMENT = DateTime(timezone=True)
MINUTE = timedelta(minutes=1)

open311_key = Table(
    "open311_key",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("client", Text, nullable=False),  # an application, never a person
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("created_at", _MOMENT, nullable=False),
    Column("revoked_at", _MOMENT),
    Column("minute", _MOMENT),  # of its last post, and how many it has made in it
    Column("used", Integer, nullable=False, server_default=text("0")),
)
open311_request = Table(
    "open311_request",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("client", Text, nullable=False),
    Column("external_id", Text),
    Column("jurisdiction", Text, nullable=False),
    Column("service_code", Text, nullable=False),
    Column("service_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("description", Text),
    Column("address", Text),
    Column("address_id", Text),
    Column("lat", Numeric(9, 6)),
    Column("long", Numeric(9, 6)),
    Column("media_url", Text),
    Column("notice", Text),
    Column("token", Text, unique=True),
    Column("requested_at", _MOMENT, nullable=False),
    UniqueConstraint("client", "external_id"),
)
Index(
    "ix_open311_request_newest",
    open311_request.c.requested_at.desc(),
    open311_request.c.ticket_id.desc(),
)
open311_news = Table(
    "open311_news",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("client", Text, nullable=False),
    Column("update_id", Text, nullable=False),
    Column("ticket_id", ForeignKey("ticket.id"), nullable=False, index=True),
    Column("status", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("media_url", Text),
    Column("updated_at", _MOMENT, nullable=False),
    Column("received_at", _MOMENT, nullable=False),
    UniqueConstraint("client", "update_id"),
)
# What changed lately is asked for by the minute: without it every such question reads all history.
Index("ix_ticket_move_at", ticket_move.c.at)


class KeyNotFound(NotFound):
    code = "open311.key_not_found"


class RequestNotFound(NotFound):
    code = "open311.request_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A request that is there already, as its client is answered."""

    ticket_id: UUID
    ticket_no: str
    query_code: str
    kind: Kind
    token: str | None
    notice: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What is kept of a filing beside its ticket."""

    ticket_id: UUID
    client: str
    filing: Filing
    notice: str | None
    token: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    id: int
    client: str
    created_at: datetime
    revoked_at: datetime | None


class Keys:
    """Only the digest of a key is kept: it has 256 random bits, so a plain hash does."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def use(self, secret: str | None, *, now: datetime, a_minute: int) -> str:
        """The client whose key it is, counted and locked: its posts come one after the other.

        Raises BadKey, TooOften.
        """
        minute = now.replace(second=0, microsecond=0)
        is_same = open311_key.c.minute == minute
        rows = await self._tx.connection.execute(
            update(open311_key)
            .where(
                open311_key.c.digest == _digest(secret or ""), open311_key.c.revoked_at.is_(None)
            )
            .values(minute=minute, used=case((is_same, open311_key.c.used + 1), else_=1))
            .returning(open311_key.c.client, open311_key.c.used)
        )
        row = rows.one_or_none()
        if row is None:
            raise BadKey("缺少 api_key，或者 api_key 无效、已停用")
        if row.used > a_minute:
            wait = ceil((minute + MINUTE - now).total_seconds())
            raise TooOften(f"每分钟最多提交{a_minute}件，请在{wait}秒后再试", wait=wait)
        client: str = row.client
        return client

    async def create(self, client: str, *, now: datetime) -> tuple[int, str]:
        """Its number, and the key itself: the only time that anybody sees it."""
        secret = f"tb311_{secrets.token_urlsafe(32)}"
        rows = await self._tx.connection.execute(
            insert(open311_key)
            .values(client=client, digest=_digest(secret), created_at=now)
            .returning(open311_key.c.id)
        )
        return int(rows.scalar_one()), secret

    async def revoke(self, key_id: int, *, now: datetime) -> str:
        """The client that had it. Raises KeyNotFound."""
        rows = await self._tx.connection.execute(
            update(open311_key)
            .where(open311_key.c.id == key_id, open311_key.c.revoked_at.is_(None))
            .values(revoked_at=now)
            .returning(open311_key.c.client)
        )
        client: str | None = rows.scalar_one_or_none()
        if client is None:
            raise KeyNotFound("没有这个密钥，或者已停用")
        return client


class Requests:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def known(self, client: str, external_id: str) -> Known | None:
        """The request that this client files once more."""
        rows = await self._tx.connection.execute(
            select(open311_request, ticket.c.ticket_no, ticket.c.query_code)
            .join(ticket, ticket.c.id == open311_request.c.ticket_id)
            .where(open311_request.c.client == client, open311_request.c.external_id == external_id)
        )
        row = rows.one_or_none()
        return None if row is None else _known(row)

    async def add(self, filed: Filed) -> None:
        filing, place = filed.filing, filed.filing.place
        await self._tx.connection.execute(
            insert(open311_request).values(
                ticket_id=filed.ticket_id,
                client=filed.client,
                external_id=filing.external_id,
                jurisdiction=filing.jurisdiction,
                service_code=filing.service.code,
                service_name=filing.service.name,
                kind=filing.service.kind,
                description=filing.description,
                address=place.address,
                address_id=place.address_id,
                lat=place.lat,
                long=place.long,
                media_url=filing.media_url,
                notice=filed.notice,
                token=filed.token,
                requested_at=filed.at,
            )
        )

    async def of_client(self, client: str, ticket_no: str) -> UUID:
        """The ticket of a request that this client filed. Raises RequestNotFound."""
        rows = await self._tx.connection.execute(
            select(open311_request.c.ticket_id)
            .join(ticket, ticket.c.id == open311_request.c.ticket_id)
            .where(ticket.c.ticket_no == ticket_no, open311_request.c.client == client)
        )
        found: UUID | None = rows.scalar_one_or_none()
        if found is None:
            raise RequestNotFound("没有这个 service_request_id")
        return found

    async def add_news(self, ticket_id: UUID, client: str, said: News, *, now: datetime) -> bool:
        """False where the client sent this update before: nothing is kept twice."""
        added = await self._tx.connection.execute(
            insert_or_not(open311_news)
            .values(
                client=client,
                update_id=said.update_id,
                ticket_id=ticket_id,
                status=said.status,
                description=said.description,
                media_url=said.media_url,
                updated_at=said.updated_at,
                received_at=now,
            )
            .on_conflict_do_nothing(index_elements=["client", "update_id"])
            .returning(open311_news.c.id)
        )
        return added.one_or_none() is not None


async def keys(connection: AsyncConnection) -> Sequence[Key]:
    rows = await connection.execute(select(open311_key).order_by(open311_key.c.id))
    return [
        Key(id=row.id, client=row.client, created_at=row.created_at, revoked_at=row.revoked_at)
        for row in rows
    ]


async def client_of(connection: AsyncConnection, secret: str | None) -> str:
    """For reads, which are not counted. Raises BadKey."""
    rows = await connection.execute(
        select(open311_key.c.client).where(
            open311_key.c.digest == _digest(secret or ""), open311_key.c.revoked_at.is_(None)
        )
    )
    client: str | None = rows.scalar_one_or_none()
    if client is None:
        raise BadKey("缺少 api_key，或者 api_key 无效、已停用")
    return client


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _known(row: Row[Any]) -> Known:
    return Known(
        ticket_id=row.ticket_id,
        ticket_no=row.ticket_no,
        query_code=row.query_code,
        kind=Kind(row.kind),
        token=row.token,
        notice=row.notice,
    )
