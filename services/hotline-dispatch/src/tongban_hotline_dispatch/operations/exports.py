"""A list leaves the system: who may have it unmasked, and the record of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from tongban_common import audit
from tongban_common.auth import NotPermitted, Principal
from tongban_common.clock import new_id
from tongban_common.errors import BadInput
from tongban_common.export import Format
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.identity import Way
from tongban_hotline_dispatch.operations.identity import OF_A_LIST
from tongban_hotline_dispatch.store.identity import View, Views


class UnknownReason(BadInput):
    code = "export.unknown_reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """Who takes which list in which form, and why in clear, if so."""

    who: Principal
    subject: str  # the list
    form: Format
    filters: Mapping[str, str]  # no personal data
    reason: str | None

    @property
    def is_clear(self) -> bool:
        return self.reason is not None


async def record_export(
    kit: Kit, taking: Taking, *, reasons: Collection[str], policy: str, now: datetime
) -> View | None:
    """Before the first row is read, in a transaction of its own: no export is without its record.
    One in clear is a look at everybody in it, and stands among the looks, too.

    Raises NotPermitted, UnknownReason.
    """
    if taking.is_clear and not taking.who.may("ticket:unmask"):
        raise NotPermitted("您没有导出未脱敏信息的权限", permission="ticket:unmask")
    if taking.is_clear and taking.reason not in reasons:
        raise UnknownReason("没有这个导出理由，请从规则列明的理由中选择")
    filters = " ".join(f"{name}={value}" for name, value in taking.filters.items())
    view = None if taking.reason is None else _view(taking, taking.reason, filters, policy, now)
    async with kit.db.transaction() as tx:
        if view is not None:
            await Views(tx).add(view)
        await audit.record(
            tx,
            actor=taking.who.subject,
            action="list.exported_in_clear" if taking.is_clear else "list.exported",
            subject=taking.subject,
            at=now,
            form=taking.form.value,
            filters=filters,
            reason=taking.reason or "",
        )
    return view


def _view(taking: Taking, reason: str, filters: str, policy: str, now: datetime) -> View:
    return View(
        id=new_id(now),
        at=now,
        actor=taking.who.subject,
        unit_code=taking.who.unit,
        way=Way.EXPORT,
        fields=OF_A_LIST,
        reason=reason,
        policy=policy,
        filters=f"{taking.subject}.{taking.form.value} {filters}".strip(),
    )
