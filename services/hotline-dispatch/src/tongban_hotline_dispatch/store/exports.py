"""What an export needs beside the list: its bounds and reasons, and the people of a page."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from tongban_common.export import Format
from tongban_common.policies import Policy, PolicyKind
from tongban_common.privacy import Sealer
from tongban_hotline_dispatch.store.complainants import Complainant, complainant, opened

MOST_OF_A_SHEET = 1_048_575  # beside its heading


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Bound(_Part):
    most: int = Field(ge=1, le=100_000_000)
    clause: str = Field(min_length=1)


class _SheetBound(_Bound):
    most: int = Field(ge=1, le=MOST_OF_A_SHEET)


class _Bounds(_Part):
    csv: _Bound
    xlsx: _SheetBound


class _Reason(_Part):
    name: str = Field(min_length=1)
    clause: str = Field(min_length=1)


class ExportPolicy(Policy):
    bounds: _Bounds
    reasons: dict[str, _Reason]

    def most_rows(self, form: Format) -> int:
        return self.bounds.csv.most if form is Format.CSV else self.bounds.xlsx.most


EXPORT = PolicyKind("tongban_hotline_dispatch", "export.yaml", ExportPolicy)


async def people(
    connection: AsyncConnection, ticket_ids: Sequence[UUID], sealer: Sealer
) -> Mapping[UUID, Complainant]:
    """Those of them who are not anonymous."""
    rows = await connection.execute(
        select(complainant).where(complainant.c.ticket_id.in_(ticket_ids))
    )
    return {row.ticket_id: opened(row, row.ticket_id, sealer) for row in rows}
