"""The tables of the assessment, and the only writer to them. A run is never changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from tongban_common.db import Transaction
from tongban_common.errors import Conflict, NotFound
from tongban_hotline_dispatch.domain.assessment import (
    INPUTS,
    REAPPRAISED_RESOLUTION,
    REAPPRAISED_RESULT,
    Count,
    Counts,
    Placed,
    Standard,
)
from tongban_hotline_dispatch.domain.periods import Period
from tongban_hotline_dispatch.store.assessment_items import COLLECT, SUM_UP, WORDS
from tongban_hotline_dispatch.store.assignments import assignment
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.tickets import ticket

_MOMENT = DateTime(timezone=True)
_RENEWED = (REAPPRAISED_RESULT, REAPPRAISED_RESOLUTION)
Index("ix_assignment_due", assignment.c.due_at, postgresql_where=text("role = 'lead'"))
Index(
    "ix_ticket_redone",
    ticket.c.registered_at,
    postgresql_where=text("rework_rounds > 0 OR phase IS NOT NULL"),
)
assessment = Table(
    "assessment",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("period_type", Text, nullable=False),
    Column("period_code", Text, nullable=False, unique=True),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("runs", Integer, nullable=False),  # how many; the last one counts
)
Index("ix_assessment_newest", assessment.c.starts_on.desc(), assessment.c.id.desc())
assessment_run = Table(
    "assessment_run",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("assessment_id", ForeignKey("assessment.id"), nullable=False),
    Column("no", Integer, nullable=False),
    Column("policy_version", Integer, nullable=False),
    Column("mode", Text, nullable=False),
    Column("as_of", _MOMENT, nullable=False),
    Column("watermark", JSONB, nullable=False),  # up to where each input was read
    Column("started_by", Text, nullable=False),
    UniqueConstraint("assessment_id", "no"),
)
# Without foreign keys: each would take a lock on every ticket of the period for nothing.
assessment_item = Table(
    "assessment_item",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("unit_code", Text, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("ticket_id", Uuid),
    Column("appeal_type", Text),
    Column("group_code", Text, nullable=False),
    Column("reason", Text),  # why it does not count
    Column("counts", JSONB, nullable=False),  # measure → [numerator, denominator]
)
assessment_figure = Table(
    "assessment_figure",
    metadata,
    Column("run_id", ForeignKey("assessment_run.id"), primary_key=True),
    Column("unit_code", Text, primary_key=True),  # '' for the whole group
    Column("group_code", Text, primary_key=True),
    Column("appeal_type", Text, primary_key=True),  # '' for all
    Column("measure", Text, primary_key=True),
    Column("numerator", Integer, nullable=False),
    Column("denominator", Integer, nullable=False),
    Column("rate", Numeric(9, 6)),
    Column("is_withheld", Boolean, nullable=False),
)
assessment_unit = Table(
    "assessment_unit",
    metadata,
    Column("run_id", ForeignKey("assessment_run.id"), primary_key=True),
    Column("unit_code", Text, primary_key=True),
    Column("group_code", Text, nullable=False),
    Column("base", Numeric(8, 2)),
    Column("weight", Numeric(8, 4)),
    Column("bonus", Numeric(8, 2)),
    Column("total", Numeric(8, 2)),
    Column("lines", JSONB, nullable=False),
    Column("tier", Text),
    Column("rank", Integer),
    Column("listed", Text),
    Column("needs_rectification", Boolean, nullable=False),
)
assessment_input = Table(
    "assessment_input",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("unit_code", Text, nullable=False),
    Column("on_day", Date, nullable=False),
    Column("ref", Text, nullable=False),  # what it rests on: a card, a duty, a ticket
    Column("noted_by", Text, nullable=False),
    Column("noted_at", _MOMENT, nullable=False),
    Column("voided_at", _MOMENT),
    UniqueConstraint("kind", "unit_code", "ref"),
)
Index("ix_assessment_input_day", assessment_input.c.on_day)
Index("ix_assessment_input_ref", assessment_input.c.ref, assessment_input.c.unit_code)
assessment_group = Table(
    "assessment_group",
    metadata,
    Column("unit_code", Text, primary_key=True),
    Column("group_code", Text, nullable=False),
)


class AssessmentNotFound(NotFound):
    code = "assessment.not_found"


class AlreadyAssessed(Conflict):
    code = "assessment.exists"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """One period that is assessed, and how often it was computed."""

    id: UUID
    period: Period
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One computation: by which policy, from what, by whom."""

    id: UUID
    assessment_id: UUID
    no: int
    policy_version: int
    mode: str
    as_of: datetime
    started_by: str
    watermark: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A fact that the tickets do not tell."""

    kind: str
    unit_code: str
    on_day: date
    ref: str


class Assessments:
    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def add(self, assessment_id: UUID, period: Period) -> Assessed:
        """Raises AlreadyAssessed."""
        added = await self._tx.connection.execute(
            insert_or_not(assessment)
            .values(
                id=assessment_id,
                period_type=period.type,
                period_code=period.code,
                starts_on=period.starts_on,
                ends_on=period.ends_on,
                runs=0,
            )
            .on_conflict_do_nothing(index_elements=["period_code"])
            .returning(assessment.c.id)
        )
        if added.one_or_none() is None:
            raise AlreadyAssessed("该考核期已经核算，请重新核算", period=period.code)
        return Assessed(id=assessment_id, period=period, runs=0)

    async def get(self, assessment_id: UUID) -> Assessed:
        """Locks it: one run comes after the other. Raises AssessmentNotFound."""
        return await self._locked(assessment.c.id == assessment_id)

    async def of_period(self, code: str) -> Assessed | None:
        try:
            return await self._locked(assessment.c.period_code == code)
        except AssessmentNotFound:
            return None

    async def _locked(self, condition: Any) -> Assessed:
        query = select(assessment).where(condition).with_for_update()
        row = (await self._tx.connection.execute(query)).one_or_none()
        if row is None:
            raise AssessmentNotFound("没有这个考核期")
        return Assessed(id=row.id, period=Period.of(row.period_code), runs=row.runs)

    async def compute(self, run: Run, period: Period, standard: Standard) -> int:
        """The run with its items and figures; the number of assignments that it looked at."""
        execute = self._tx.connection.execute
        await execute(text("SET LOCAL statement_timeout = '10min'"))  # a year of a province
        values = {name: getattr(run, name) for name in Run.__dataclass_fields__}
        watermark = await self._watermark()
        await execute(insert(assessment_run).values({**values, "watermark": watermark}))
        await execute(
            update(assessment).where(assessment.c.id == run.assessment_id).values(runs=run.no)
        )
        collected = await execute(COLLECT, _inputs(run, period, standard))
        await execute(
            SUM_UP,
            {
                "run_id": run.id,
                "guarded": sorted(standard.guarded),
                "least": standard.small_number,
            },
        )
        return int(collected.rowcount)

    async def _watermark(self) -> dict[str, int]:
        """The last noted fact and the last decision on an exclusion that the run has seen."""
        found = await self._tx.connection.execute(
            text(
                "SELECT (SELECT coalesce(max(id), 0) FROM assessment_input) AS input,"
                " (SELECT coalesce(max(id), 0) FROM exclusion_move) AS exclusion"
            )
        )
        return dict(found.one()._mapping)  # noqa: SLF001 - SQLAlchemy's public name

    async def units(self, run_id: UUID) -> dict[str, tuple[str, Counts]]:
        """Unit → its group and its counts over all types."""
        rows = await self._tx.connection.execute(
            select(assessment_figure).where(
                assessment_figure.c.run_id == run_id,
                assessment_figure.c.unit_code != "",
                assessment_figure.c.appeal_type == "",
            )
        )
        found: dict[str, tuple[str, dict[str, Count]]] = {}
        for row in rows:
            _, counts = found.setdefault(row.unit_code, (row.group_code, {}))
            counts[row.measure] = Count(numerator=row.numerator, denominator=row.denominator)
        return dict(found)

    async def place(self, run_id: UUID, found: Sequence[Placed]) -> None:
        rows = [_placed(run_id, each) for each in found]
        if rows:
            await self._tx.connection.execute(insert(assessment_unit), rows)

    async def note(self, fact: Noted, *, by: str, at: datetime) -> bool:
        """False where it is known; one that was voided counts again, and a reappraisal of a later
        mark of the same ticket from then on."""
        values = {"on_day": fact.on_day, "noted_by": by, "noted_at": at, "voided_at": None}
        noted = await self._tx.connection.execute(
            insert_or_not(assessment_input)
            .values(kind=fact.kind, unit_code=fact.unit_code, ref=fact.ref, **values)
            .on_conflict_do_update(
                index_elements=["kind", "unit_code", "ref"],
                set_=values,
                where=assessment_input.c.voided_at.is_not(None)
                | (assessment_input.c.kind.in_(_RENEWED) & (assessment_input.c.noted_at < at)),
            )
            .returning(assessment_input.c.id)
        )
        return noted.one_or_none() is not None

    async def void(self, kind: str, ref: str, *, at: datetime) -> None:
        table = assessment_input
        await self._tx.connection.execute(
            update(table)
            .where(table.c.kind == kind, table.c.ref == ref, table.c.voided_at.is_(None))
            .values(voided_at=at)
        )

    async def group(self, unit_code: str, group_code: str) -> None:
        await self._tx.connection.execute(
            insert_or_not(assessment_group)
            .values(unit_code=unit_code, group_code=group_code)
            .on_conflict_do_update(index_elements=["unit_code"], set_={"group_code": group_code})
        )


def _inputs(run: Run, period: Period, standard: Standard) -> dict[str, Any]:
    return {
        **WORDS,
        "run_id": run.id,
        "as_of": run.as_of,
        "starts_at": period.starts_at,
        "ends_at": period.ends_at,
        "starts_on": period.starts_on,
        "ends_on": period.ends_on,
        "otherwise": standard.otherwise,
        "automatic": {each.when.value: each.reason for each in standard.automatic},
        "windows": [
            {
                "reason": each.reason,
                "from_at": each.from_at.isoformat(),
                "to_at": each.to_at.isoformat(),
            }
            for each in standard.windows
        ],
        "kinds": [
            {"kind": kind, "adds": {name: list(two) for name, two in each.adds.items()}}
            for kind, each in INPUTS.items()
            if each.adds
        ],
        "levels": list(_levels(standard)),
    }


def _levels(standard: Standard) -> Iterable[dict[str, str]]:
    for group in standard.groups:
        for level in sorted(group.levels):
            yield {"level": level, "group_code": group.code}


def _placed(run_id: UUID, each: Placed) -> dict[str, Any]:
    score = each.score
    lines = [] if score is None else score.lines
    return {
        "run_id": run_id,
        "unit_code": each.unit_code,
        "group_code": each.group,
        "base": score and score.base,
        "weight": score and score.weight,
        "bonus": score and score.bonus,
        "total": score and score.total,
        "lines": [
            {"line": t.line, "name": t.name, "count": t.count, "points": str(t.points)}
            for t in lines
        ],
        "tier": each.tier,
        "rank": each.rank,
        "listed": each.listed,
        "needs_rectification": each.needs_rectification,
    }
