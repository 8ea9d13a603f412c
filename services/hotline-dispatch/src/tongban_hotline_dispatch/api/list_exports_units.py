"""Lists of units and of the knowledge base by the file: contacts, filings, gaps, items, duties."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from fastapi.responses import StreamingResponse

from tongban_common.export import Column
from tongban_common.http import PageRequest, Router
from tongban_common.privacy import Sealer, mask_text
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.api.list_exports import FILE, Code, Leaving, Open, leaving
from tongban_hotline_dispatch.domain.contacts import CHANGE_NAMES, ROLE_NAMES, ContactRole
from tongban_hotline_dispatch.domain.duties import DUTY_NAMES, DutyKind
from tongban_hotline_dispatch.domain.knowledge import MATERIAL_NAMES, STATE_NAMES, State
from tongban_hotline_dispatch.operations import acts_for
from tongban_hotline_dispatch.store import contact_rounds, contacts, knowledge_duties
from tongban_hotline_dispatch.store import knowledge_reads as items
from tongban_hotline_dispatch.store.contact_rounds import Confirmation, Gap
from tongban_hotline_dispatch.store.contacts import ContactLine, FilingLine
from tongban_hotline_dispatch.store.knowledge_duties import DutyLine

router = Router(prefix="/hotline/v1/exports", tags=["导出"])
Is = Annotated[bool | None, Open, Query()]


@router.get("/contacts.{form}", summary="导出联络人员（CSV、XLSX，脱敏）", **FILE)
async def people(
    leave: Annotated[Leaving, leaving("contact:read")],
    unit: Code = "",
    role: Annotated[ContactRole | None, Open, Query(description="岗位")] = None,
    active: Annotated[bool | None, Open, Query(description="只列在任的")] = None,
) -> StreamingResponse:
    today = leave.now.astimezone(SHANGHAI).date()
    filters = contacts.ContactFilters(
        unit_code=acts_for(leave.who) or unit or None,
        role=role,
        active_on=today if active else None,
    )
    sealer = Sealer(leave.kit.secret)
    return await leave.send(
        "contacts",
        "联络人员",
        _CONTACTS,
        lambda reads, page: contacts.contacts(reads, filters=filters, page=page, sealer=sealer),
        lambda line: line.key,
        {"unit_code": unit or None, "role": role, "active": active},
    )


_CONTACTS: Sequence[Column[ContactLine]] = (
    Column("单位编码", lambda line: line.unit_code),
    Column("单位", lambda line: line.unit_name, 24),
    Column("岗位", lambda line: ROLE_NAMES[line.role], 16),
    Column("姓名", lambda line: line.person.name, 12),
    Column("职务", lambda line: line.person.post, 16),
    Column("办公电话", lambda line: line.person.office_phone),
    Column("手机", lambda line: line.person.mobile),
    Column("邮箱", lambda line: line.person.email, 24),
    Column("起任", lambda line: line.valid_from, 12),
    Column("离任", lambda line: line.valid_to, 12),
)


@router.get("/contact-filings.{form}", summary="导出联络人员备案记录（CSV、XLSX）", **FILE)
async def filings(
    leave: Annotated[Leaving, leaving("contact:read")],
    unit: Code = "",
    late: Is = None,
) -> StreamingResponse:
    by_unit = acts_for(leave.who) or unit or None
    return await leave.send(
        "contact-filings",
        "联络人员备案记录",
        _FILINGS,
        lambda reads, page: contacts.filings(reads, unit_code=by_unit, late=late, page=page),
        lambda line: line.key,
        {"unit_code": unit or None, "late": late},
    )


_FILINGS: Sequence[Column[FilingLine]] = (
    Column("单位编码", lambda line: line.unit_code),
    Column("单位", lambda line: line.unit_name, 24),
    Column("岗位", lambda line: ROLE_NAMES[line.role], 16),
    Column("变更", lambda line: CHANGE_NAMES[line.change], 12),
    Column("变更完成日", lambda line: line.completed_on, 12),
    Column("备案时间", lambda line: line.filed_at, 20),
    Column("备案期限", lambda line: line.due_at, 20),
    Column("是否逾期", lambda line: line.is_late, 10),
    Column("移交工单数", lambda line: line.handed_over, 10),
)


@router.get("/units-without-contact.{form}", summary="导出没有在任联络员的单位", **FILE)
async def gaps(
    leave: Annotated[Leaving, leaving("contact:read")],
) -> StreamingResponse:
    unit = acts_for(leave.who)

    async def read(reads: Any, page: PageRequest) -> Sequence[Gap]:
        """One page holds them all: there are no more of them than units."""
        if page.after is not None:
            return ()
        return await contact_rounds.units_without_contact(reads, unit_code=unit)

    return await leave.send(
        "units-without-contact",
        "没有在任联络员的单位",
        _GAPS,
        read,
        lambda gap: [gap.unit_code],
        {},
    )


_GAPS: Sequence[Column[Gap]] = (
    Column("单位编码", lambda gap: gap.unit_code),
    Column("单位", lambda gap: gap.unit_name, 24),
    Column("缺少的岗位", lambda gap: "、".join(ROLE_NAMES[each] for each in gap.roles), 24),
    Column("起始日", lambda gap: gap.since, 12),
    Column("最近查到", lambda gap: gap.found_on, 12),
    Column("夜数", lambda gap: gap.nights, 8),
)


@router.get("/contact-confirmations.{form}", summary="导出联络人员季度确认", **FILE)
async def confirmations(
    leave: Annotated[Leaving, leaving("contact:read")],
    quarter: Annotated[str, Query(pattern=r"^(\d{4}Q[1-4])?$")] = "",
    unit: Code = "",
) -> StreamingResponse:
    by_unit = acts_for(leave.who) or unit or None

    async def read(reads: Any, page: PageRequest) -> Sequence[Confirmation]:
        """One page holds them all: one of each unit."""
        if page.after is not None:
            return ()
        return await contact_rounds.confirmations(
            reads, quarter=quarter or None, unit_code=by_unit, is_open=None
        )

    return await leave.send(
        "contact-confirmations",
        "联络人员季度确认",
        _CONFIRMATIONS,
        read,
        lambda one: [one.unit_code],
        {"quarter": quarter or None, "unit_code": unit or None},
    )


_CONFIRMATIONS: Sequence[Column[Confirmation]] = (
    Column("季度", lambda one: one.quarter, 10),
    Column("单位编码", lambda one: one.unit_code),
    Column("单位", lambda one: one.unit_name, 24),
    Column("期限", lambda one: one.due_at, 20),
    Column("确认时间", lambda one: one.confirmed_at, 20),
    Column("是否逾期", lambda one: one.is_missed, 10),
)


@router.get("/knowledge-items.{form}", summary="导出知识条目（CSV、XLSX）", **FILE)
async def knowledge(
    leave: Annotated[Leaving, leaving("knowledge:read")],
    state: Annotated[State | None, Open, Query(description="状态")] = None,
    unit: Code = "",
    category: Annotated[str, Query(max_length=200)] = "",
) -> StreamingResponse:
    filters = items.ItemFilters(
        state=state, unit_code=acts_for(leave.who) or unit or None, category=category or None
    )
    return await leave.send(
        "knowledge-items",
        "知识条目",
        _ITEMS,
        lambda reads, page: items.items(reads, filters=filters, page=page),
        lambda line: line.key,
        {"state": state, "unit_code": unit or None, "category": category or None},
    )


_ITEMS: Sequence[Column[items.VersionLine]] = (
    Column("标题", lambda line: mask_text(line.title), 40),
    Column("分类", lambda line: line.category, 24),
    Column("材料类型", lambda line: MATERIAL_NAMES[line.material], 14),
    Column("负责单位", lambda line: line.unit_name or line.unit_code, 24),
    Column("版本", lambda line: line.number, 8),
    Column("状态", lambda line: STATE_NAMES[line.state], 10),
    Column("修改时间", lambda line: line.edited_at, 20),
    Column("复审期限", lambda line: line.review_due_at, 20),
)


@router.get("/knowledge-duties.{form}", summary="导出知识更新责任（CSV、XLSX）", **FILE)
async def duties(
    leave: Annotated[Leaving, leaving("knowledge:read")],
    unit: Code = "",
    kind: Annotated[DutyKind | None, Open, Query(description="责任种类")] = None,
    open_: Annotated[bool | None, Open, Query(alias="open", description="是否尚未办结")] = None,
    missed: Is = None,
) -> StreamingResponse:
    filters = knowledge_duties.DutyFilters(
        unit_code=acts_for(leave.who) or unit or None, kind=kind, is_open=open_, is_missed=missed
    )
    return await leave.send(
        "knowledge-duties",
        "知识更新责任",
        _DUTIES,
        lambda reads, page: knowledge_duties.duties(reads, filters=filters, page=page),
        lambda line: line.key,
        {"unit_code": unit or None, "kind": kind, "open": open_, "missed": missed},
    )


_DUTIES: Sequence[Column[DutyLine]] = (
    Column("责任", lambda line: DUTY_NAMES[line.duty.kind], 16),
    Column("事项", lambda line: mask_text(line.duty.about), 40),
    Column("单位", lambda line: line.unit_name or line.duty.unit_code, 24),
    Column("起算", lambda line: line.duty.start_at, 20),
    Column("期限", lambda line: line.duty.due_at, 20),
    Column("办结时间", lambda line: line.duty.done_at, 20),
    Column("是否逾期", lambda line: line.duty.is_late(), 10),
)
