"""Lists by the file, by the same filters as the list itself."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BeforeValidator

from tongban_common.auth import NotPermitted, Principal, require
from tongban_common.clock import utc_now
from tongban_common.export import PAGE, Column, Export, Format, TooManyRows, download
from tongban_common.http import Now, PageRequest, Router, refusals
from tongban_common.privacy import Sealer, Signer, mask_name, mask_phone, mask_text
from tongban_common.service import Kit, Parts
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch import queries
from tongban_hotline_dispatch.domain.appeal import APPEAL_NAMES, URGENCY_NAMES
from tongban_hotline_dispatch.domain.moves import STATUS_NAMES, Status
from tongban_hotline_dispatch.domain.particulars import FLAG_NAMES, KIND_NAMES, Flag
from tongban_hotline_dispatch.operations import viewer_of
from tongban_hotline_dispatch.operations.exports import Taking, UnknownReason, record_export
from tongban_hotline_dispatch.operations.identity import note_tickets
from tongban_hotline_dispatch.queries import Filters, TicketLine
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store.exports import EXPORT, people
from tongban_hotline_dispatch.store.identity import View

router = Router(prefix="/hotline/v1/exports", tags=["导出"])
# A form sends what was left open as an empty text.
_Open = BeforeValidator(lambda given: given or None)
_NOBODY = Complainant()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    line: TicketLine
    title: str
    name: str | None
    phone: str | None
    kind: str | None
    now: datetime


COLUMNS: tuple[Column[_Row], ...] = (
    Column("工单编号", lambda row: row.line.ticket_no, 20),
    Column("标题", lambda row: row.title, 40),
    Column("诉求类型", lambda row: APPEAL_NAMES[row.line.appeal_type], 10),
    Column("紧急程度", lambda row: URGENCY_NAMES[row.line.urgency], 10),
    Column("状态", lambda row: STATUS_NAMES[row.line.status], 10),
    Column("承办单位编码", lambda row: row.line.unit_code),
    Column("承办单位", lambda row: row.line.unit_name, 24),
    Column("登记时间", lambda row: row.line.registered_at, 20),
    Column("市民等候期限", lambda row: row.line.citizen_due, 20),
    Column("答复期限", lambda row: row.line.reply_due, 20),
    Column("答复时间", lambda row: row.line.replied_at, 20),
    Column("是否超期", lambda row: row.line.is_overdue(row.now), 10),
    Column("标记", lambda row: "、".join(FLAG_NAMES[each] for each in row.line.flags), 20),
    Column("行政区划代码", lambda row: row.line.region_code, 14),
    Column("诉求人类别", lambda row: row.kind, 12),
    Column("诉求人", lambda row: row.name, 12),
    Column("联系电话", lambda row: row.phone),
)


@router.get(
    "/tickets.{form}",
    summary="导出工单列表（CSV、XLSX）",
    response_class=StreamingResponse,
    responses={
        200: {"description": "文件", "content": {form.mime: {} for form in Format}},
        **refusals(NotPermitted, UnknownReason, TooManyRows),
    },
)
async def tickets(
    form: Annotated[Format, Path(description="csv 或 xlsx")],
    kit: Parts,
    now: Now,
    status: Annotated[Status | None, _Open, Query(description="状态")] = None,
    unit: Annotated[str, Query(max_length=64, description="承办单位编码")] = "",
    overdue: Annotated[bool | None, _Open, Query(description="是否超期")] = None,
    flag: Annotated[Flag | None, _Open, Query(description="标记")] = None,
    region: Annotated[str, Query(max_length=12, description="事发地行政区划代码")] = "",
    reason: Annotated[str, Query(max_length=40, description="不脱敏的理由代码；不给则脱敏")] = "",
    who: Principal = require("ticket:export"),
) -> StreamingResponse:
    policy = await kit.policy(EXPORT).at(now.astimezone(SHANGHAI).date())
    viewer = viewer_of(who)
    filters = Filters(
        viewer=viewer,
        status=status,
        unit_code=viewer.unit or unit or None,
        is_overdue=overdue,
        flag=flag,
        region_code=region or None,
    )
    told = {name: value for name, value in asdict(filters).items() if name != "viewer"}
    asked = {name: str(value) for name, value in told.items() if value is not None}
    taking = Taking(who=who, subject="tickets", form=form, filters=asked, reason=reason or None)
    label = f"{policy.name}/{policy.version}"
    view = await record_export(kit, taking, reasons=policy.reasons, policy=label, now=now)
    export = Export(
        title="工单",
        columns=COLUMNS,
        read=_Pages(kit, filters, now, view=view, is_of_unit=viewer.unit is not None).read,
        key=lambda row: row.line.key,
        most_rows=policy.most_rows(form),
    )
    return await download(export, form, at=now)


class _Pages:
    """The list page by page, each over a connection that is given back at once."""

    def __init__(
        self, kit: Kit, filters: Filters, now: datetime, *, view: View | None, is_of_unit: bool
    ) -> None:
        self._kit = kit
        self._filters = filters
        self._now = now
        self._view = view  # of an export in clear
        self._is_of_unit = is_of_unit
        self._sealer = Sealer(kit.secret)
        self._signer = Signer(kit.secret, purpose="cursor")

    async def read(self, after: tuple[Any, ...] | None) -> list[_Row]:
        page = PageRequest(PAGE, after, self._signer, "export")
        async with self._kit.db.reading() as reads:
            lines = await queries.tickets(reads, filters=self._filters, page=page, now=self._now)
            known = await people(reads, [line.id for line in lines], self._sealer)
        if self._view is not None:
            now = utc_now()
            await note_tickets(self._kit, self._view, [line.id for line in lines], now=now)
        return [self._row(line, known.get(line.id, _NOBODY)) for line in lines]

    def _row(self, line: TicketLine, person: Complainant) -> _Row:
        kind = KIND_NAMES[line.complainant_kind] if line.complainant_kind else None
        if self._is_of_unit and line.hides_identity:
            person, kind = _NOBODY, None
        if self._view is not None:
            title, name, phone = line.clear_title, person.name, person.phone
        else:
            title = mask_text(line.title)
            name = None if person.name is None else mask_name(person.name)
            phone = None if person.phone is None else mask_phone(person.phone)
        return _Row(line=line, title=title, name=name, phone=phone, kind=kind, now=self._now)
