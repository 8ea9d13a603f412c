"""Who brought the matter (诉求人): sealed field by field, apart from the ticket."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ForeignKey, LargeBinary, Row, Table, insert, select

from tongban_common.db import Transaction
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.store.reference import metadata

complainant = Table(
    "complainant",
    metadata,
    Column("ticket_id", ForeignKey("ticket.id"), primary_key=True),
    Column("name", LargeBinary),
    Column("phone", LargeBinary),
    Column("address", LargeBinary),
    Column("email", LargeBinary),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Complainant:
    """诉求人, in clear only inside this process."""

    name: str | None = None
    phone: str | None = None
    address: str | None = None
    email: str | None = None

    @property
    def is_anonymous(self) -> bool:
        return not (self.name or self.phone or self.address or self.email)


class Complainants:
    def __init__(self, tx: Transaction, sealer: Sealer) -> None:
        self._tx = tx
        self._sealer = sealer

    async def add(self, ticket_id: UUID, person: Complainant) -> None:
        if person.is_anonymous:
            return
        await self._tx.connection.execute(
            insert(complainant).values(
                ticket_id=ticket_id,
                name=self._seal(person.name, ticket_id, "name"),
                phone=self._seal(person.phone, ticket_id, "phone"),
                address=self._seal(person.address, ticket_id, "address"),
                email=self._seal(person.email, ticket_id, "email"),
            )
        )

    async def of(self, ticket_id: UUID) -> Complainant:
        """In clear; whoever calls this has noted who looks, and why."""
        rows = await self._tx.connection.execute(
            select(complainant).where(complainant.c.ticket_id == ticket_id)
        )
        return opened(rows.one_or_none(), ticket_id, self._sealer)

    def _seal(self, value: str | None, ticket_id: UUID, field: str) -> bytes | None:
        if not value:
            return None
        return self._sealer.seal(value, context=f"complainant:{ticket_id}:{field}")


def opened(row: Row[Any] | None, ticket_id: UUID, sealer: Sealer) -> Complainant:
    """A sealed row to a person."""
    if row is None:
        return Complainant()

    def clear(field: str) -> str | None:
        sealed = getattr(row, field)
        if sealed is None:
            return None
        return sealer.open(sealed, context=f"complainant:{ticket_id}:{field}")

    fields = {field: clear(field) for field in ("name", "phone", "address", "email")}
    return Complainant(**fields)
