"""差评复核 in the demo city: a unit contests a mark, the county reviews it, the city decides."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from tongban_common.db import Transaction
from tongban_common.service import Kit
from tongban_hotline_dispatch import operations as hotline
from tongban_hotline_dispatch.domain.callback import Heard, Mark, Resolved
from tongban_hotline_dispatch.domain.reappraisal import (
    Application,
    Judgement,
    Reappraisal,
    State,
    Track,
    Verdict,
)
from tongban_hotline_dispatch.operations import reappraisals
from tongban_hotline_dispatch.store.reappraisals import Reappraisals
from tongban_suite.lanes import Lane

# What a unit may contest: nothing more can be done about it, and the citizen does not like that.
FORBIDDEN = Heard(
    resolved=Resolved.NO,
    result=Mark.DISSATISFIED,
    process=Mark.SATISFIED,
    replied=True,
    no_redo="POLICY_FORBIDS",
    note="诉求人不认可政策规定。",
)
_COUNTY, _CITY = "demo-county", "demo-city"
_GIVEN = Application(
    tracks=frozenset({Track.SATISFACTION}),
    ground="POLICY_FORBIDS",
    words="该诉求超出现行政策规定，已向诉求人当面说明并送达依据。",
    evidence=("现场说明记录", "政策文件"),
    by="demo-unit",
    is_signed_off=True,
)


async def contest(
    kit: Kit, tx: Transaction, ticket_id: UUID, unit: str, now: datetime
) -> Reappraisal:
    rules = await hotline.rules_at(kit, now=now)
    return await reappraisals.apply(
        tx, ticket_id=ticket_id, given=_GIVEN, unit=unit, rules=rules, now=now
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Of one ticket, over some days."""

    kit: Kit
    lane: Lane
    ticket_id: UUID
    unit: str

    async def begin(self, now: datetime) -> None:
        async with self.kit.db.transaction() as tx:
            made = await contest(self.kit, tx, self.ticket_id, self.unit, now)
        self.lane.at(now + timedelta(hours=5), partial(self._review, made.id))
        self.lane.at(now + timedelta(hours=24), partial(self._decide, made.id))

    async def _review(self, one: UUID, now: datetime) -> None:
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            found = await Reappraisals(tx).get(one)
            if found.state is not State.AT_COUNTY:
                return
            note = "材料齐全，依据属实。"
            await reappraisals.review(
                tx, _act(found, _COUNTY), is_passed=True, note=note, rules=rules, now=now
            )

    async def _decide(self, one: UUID, now: datetime) -> None:
        passes = self.lane.chance.random() < 0.5
        given = Judgement(
            verdicts={Track.SATISFACTION: Verdict.PASSED if passes else Verdict.FAILED},
            is_assessable=not passes,
            is_reasonable=not passes,
            by=_CITY,
            at=now,
            reason="经查，政策依据充分，已当面说明。" if passes else "未提供送达说明的凭证。",
        )
        rules = await hotline.rules_at(self.kit, now=now)
        async with self.kit.db.transaction() as tx:
            found = await Reappraisals(tx).get(one)
            if found.state is State.AT_CITY:
                await reappraisals.decide(tx, _act(found, _CITY), given, rules=rules, now=now)


def _act(found: Reappraisal, actor: str) -> reappraisals.Act:
    return reappraisals.Act(
        reappraisal_id=found.id, actor=actor, unit=None, seen_version=found.version
    )
