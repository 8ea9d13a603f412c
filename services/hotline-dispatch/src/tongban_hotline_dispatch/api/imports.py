"""Tickets by the file."""

from fastapi import UploadFile
from pydantic import BaseModel

from tongban_common.auth import Principal, require
from tongban_common.http import Now, Router, refusals
from tongban_common.service import Parts
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.domain.importing import BadFile
from tongban_hotline_dispatch.operations import Outcome, Report

router = Router(prefix="/hotline/v1/imports", tags=["批量导入"])


class RowView(BaseModel):
    line: int
    outcome: Outcome
    reason: str | None
    ticket_no: str | None


class ImportView(BaseModel):
    taken: int
    known: int
    refused: int
    rows: list[RowView]

    @classmethod
    def of(cls, report: Report) -> "ImportView":
        return cls(
            taken=report.taken,
            known=report.known,
            refused=report.refused,
            rows=[
                RowView(
                    line=each.line,
                    outcome=each.outcome,
                    reason=each.reason,
                    ticket_no=each.ticket_no,
                )
                for each in report.rows
            ],
        )


@router.post("", summary="批量导入（CSV、XLSX）", responses=refusals(BadFile))
async def import_file(
    file: UploadFile,
    now: Now,
    kit: Parts,
    who: Principal = require("ticket:import"),
) -> ImportView:
    """Rows are taken each for itself: a bad one is named with its line, the rest are taken."""
    report = await operations.import_file(
        kit, content=await file.read(), actor=who.subject, now=now
    )
    return ImportView.of(report)
