"""A list leaves the system: who may have it unmasked, and the record of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from tongban_common import audit
from tongban_common.auth import NotPermitted, Principal
from tongban_common.errors import BadInput
from tongban_common.export import Format
from tongban_common.service import Kit


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
    kit: Kit, taking: Taking, *, reasons: Collection[str], now: datetime
) -> None:
    """Before the first row is read, in a transaction of its own: no export is without its record.

    Raises NotPermitted, UnknownReason.
    """
    if taking.is_clear and not taking.who.may("ticket:unmask"):
        raise NotPermitted("您没有导出未脱敏信息的权限", permission="ticket:unmask")
    if taking.is_clear and taking.reason not in reasons:
        raise UnknownReason("没有这个导出理由，请从规则列明的理由中选择")
    async with kit.db.transaction() as tx:
        await audit.record(
            tx,
            actor=taking.who.subject,
            action="list.exported_in_clear" if taking.is_clear else "list.exported",
            subject=taking.subject,
            at=now,
            form=taking.form.value,
            filters=" ".join(f"{name}={value}" for name, value in taking.filters.items()),
            reason=taking.reason or "",
        )
