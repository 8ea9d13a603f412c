"""The table of reappraisals, and what of a ticket may be contested."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    select,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, NotFound
from tongban_hotline_dispatch.domain.callback import Mark, Resolved
from tongban_hotline_dispatch.domain.reappraisal import (
    Application,
    Contested,
    CountyReview,
    Judgement,
    Reappraisal,
    State,
    Track,
    Verdict,
)
from tongban_hotline_dispatch.store.callbacks import callback_task, ticket_review
from tongban_hotline_dispatch.store.reference import metadata, unit
from tongban_hotline_dispatch.store.terms import term_document, term_of, written
from tongban_hotline_dispatch.store.tickets import ticket

_JSON = JSONB(none_as_null=True)
_MOMENT = DateTime(timezone=True)
reappraisal = Table(
    "reappraisal",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("ticket_id", ForeignKey("ticket.id"), nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("tracks", ARRAY(Text), nullable=False),
    Column("ground", Text, nullable=False),
    Column("words", Text, nullable=False),
    Column("evidence", ARRAY(Text), nullable=False),
    Column("rated_at", _MOMENT, nullable=False),
    Column("requested_at", _MOMENT, nullable=False),
    Column("requested_by", Text, nullable=False),  # the subject of a token
    Column("state", Text, nullable=False),
    Column("stage", _JSON),
    Column("due_at", _MOMENT),  # of the stage, for lists
    Column("rules_version", Integer, nullable=False),
    Column("county", _JSON),
    Column("city", _JSON),
    Column("decided_at", _MOMENT),
    Column("version", Integer, nullable=False),
    UniqueConstraint("ticket_id", "rated_at"),  # a rating is contested once
)
Index("ix_reappraisal_newest", reappraisal.c.requested_at.desc(), reappraisal.c.id.desc())
Index(
    "ix_reappraisal_unit",
    reappraisal.c.unit_code,
    reappraisal.c.requested_at.desc(),
    reappraisal.c.id.desc(),
)
_LAST = (
    select(callback_task)
    .where(callback_task.c.ticket_id == ticket.c.id, callback_task.c.rated_at.is_not(None))
    .order_by(callback_task.c.no.desc())
    .limit(1)
    .lateral("last_callback")
)
_UNIT = func.coalesce(_LAST.c.unit_code, ticket.c.unit_code)
# The rating of record is evaluation's; what was resolved is known from the callback alone.
CONTESTABLE = (
    select(
        ticket.c.id.label("ticket_id"),
        ticket.c.ticket_no,
        _UNIT.label("unit_code"),
        unit.c.level.label("unit_level"),
        func.coalesce(ticket_review.c.mark, _LAST.c.result).label("result"),
        _LAST.c.resolved,
        func.coalesce(_LAST.c.rated_at, ticket_review.c.submitted_at).label("rated_at"),
    )
    .select_from(
        ticket.outerjoin(_LAST, true())
        .outerjoin(ticket_review, ticket_review.c.ticket_id == ticket.c.id)
        .outerjoin(unit, unit.c.code == _UNIT)
    )
    .where(
        func.coalesce(_LAST.c.rated_at, ticket_review.c.submitted_at).is_not(None),
        _UNIT.is_not(None),
    )
)


class ReappraisalNotFound(NotFound):
    code = "reappraisal.not_found"


class AlreadyContested(Conflict):
    code = "reappraisal.already_requested"


class NothingRated(NotFound):
    code = "reappraisal.nothing_rated"


class Reappraisals:
    def __init__(self, tx: Transaction) -> None:
        self._connection = tx.connection

    async def contested(self, ticket_id: UUID) -> Contested:
        """Raises NothingRated."""
        rows = await self._connection.execute(CONTESTABLE.where(ticket.c.id == ticket_id))
        row = rows.one_or_none()
        if row is None:
            raise NothingRated("该工单没有可以申请复核的评价")
        return Contested(
            ticket_id=row.ticket_id,
            unit_code=row.unit_code,
            unit_level=row.unit_level or "",
            result=None if row.result is None else Mark(row.result),
            resolved=None if row.resolved is None else Resolved(row.resolved),
            rated_at=row.rated_at,
        )

    async def add(self, new: Reappraisal) -> None:
        """Raises AlreadyContested."""
        added = await self._connection.execute(
            insert(reappraisal)
            .values(
                id=new.id,
                ticket_id=new.contested.ticket_id,
                unit_code=new.contested.unit_code,
                tracks=sorted(new.application.tracks),
                ground=new.application.ground,
                words=new.application.words,
                evidence=list(new.application.evidence),
                rated_at=new.contested.rated_at,
                requested_at=new.requested_at,
                requested_by=new.application.by,
                rules_version=new.rules_version,
                **_changes(new),
            )
            .on_conflict_do_nothing()
            .returning(reappraisal.c.id)
        )
        if added.one_or_none() is None:
            raise AlreadyContested("该评价已申请过复核，不再重复申请")

    async def get(self, reappraisal_id: UUID) -> Reappraisal:
        """Locked until the transaction ends. Raises ReappraisalNotFound."""
        rows = await self._connection.execute(
            select(reappraisal).where(reappraisal.c.id == reappraisal_id).with_for_update()
        )
        row = rows.one_or_none()
        if row is None:
            raise ReappraisalNotFound("没有这件复核")
        return reappraisal_of(row)

    async def save(self, after: Reappraisal) -> None:
        await self._connection.execute(
            update(reappraisal).where(reappraisal.c.id == after.id).values(**_changes(after))
        )


def reappraisal_of(row: Row[Any]) -> Reappraisal:
    return Reappraisal(
        id=row.id,
        contested=Contested(
            ticket_id=row.ticket_id,
            unit_code=row.unit_code,
            unit_level="",
            result=None,
            resolved=None,
            rated_at=row.rated_at,
        ),
        application=Application(
            tracks=frozenset(Track(each) for each in row.tracks),
            ground=row.ground,
            words=row.words,
            evidence=tuple(row.evidence),
            by=row.requested_by,
            is_signed_off=True,
        ),
        requested_at=row.requested_at,
        rules_version=row.rules_version,
        state=State(row.state),
        stage=term_of(row.stage),
        county=_county_of(row.county),
        city=_judgement_of(row.city),
        decided_at=row.decided_at,
        version=row.version,
    )


def _changes(one: Reappraisal) -> dict[str, Any]:
    return {
        "state": one.state,
        "stage": term_document(one.stage),
        "due_at": one.stage and one.stage.due_at,
        "county": _county_document(one.county),
        "city": _judgement_document(one.city),
        "decided_at": one.decided_at,
        "version": one.version,
    }


def _county_document(given: CountyReview | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return {
        "is_passed": given.is_passed,
        "by": given.by,
        "at": written(given.at),
        "note": given.note,
    }


def _county_of(found: Mapping[str, Any] | None) -> CountyReview | None:
    if found is None:
        return None
    return CountyReview(
        is_passed=found["is_passed"], by=found["by"], at=_sure(found["at"]), note=found["note"]
    )


def _judgement_document(given: Judgement | None) -> dict[str, Any] | None:
    if given is None:
        return None
    return {
        "verdicts": {each.value: verdict for each, verdict in given.verdicts.items()},
        "is_assessable": given.is_assessable,
        "is_reasonable": given.is_reasonable,
        "by": given.by,
        "at": written(given.at),
        "reason": given.reason,
        "evidence": list(given.evidence),
    }


def _judgement_of(found: Mapping[str, Any] | None) -> Judgement | None:
    if found is None:
        return None
    return Judgement(
        verdicts={Track(track): Verdict(each) for track, each in found["verdicts"].items()},
        is_assessable=found["is_assessable"],
        is_reasonable=found["is_reasonable"],
        by=found["by"],
        at=_sure(found["at"]),
        reason=found["reason"],
        evidence=tuple(found["evidence"]),
    )


def _sure(moment: str) -> datetime:
    return datetime.fromisoformat(moment)
