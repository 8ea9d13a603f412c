"""What keeps the desks fast: indexes that hold only what is open, the board's tally, and policy."""

from collections.abc import Iterable
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import BigInteger, Column, Date, Identity, Index, Table, Text, func, text

from tongban_common.policies import Policy, PolicyKind
from tongban_hotline_dispatch.domain.moves import ENDED, OPEN_STATES, State, Status
from tongban_hotline_dispatch.store.assignments import assignment
from tongban_hotline_dispatch.store.reference import metadata
from tongban_hotline_dispatch.store.tickets import ticket

# The most urgent first.
RANK = func.strpos(text("'critical urgent normal'"), ticket.c.urgency)


def _listed(column: str, of: Iterable[Status | State], word: str = "IN") -> str:
    return f"{column} {word} ({', '.join(repr(each.value) for each in of)})"


_WITH_UNIT = (
    Status.ASSIGNED,
    Status.SIGNED,
    Status.RETURN_REVIEW,
    Status.REWORK,
    Status.HARD_CASE,
)
# Not on the board: ended, or answered with its parent.
OFF_BOARD = (*(each for each in Status if each in ENDED), Status.MERGED)
# The conditions of the partial indexes, as text: a bound value would hide them from the planner.
OPEN = text(_listed("ticket.status", OFF_BOARD, "NOT IN"))
RUNNING = text(
    "ticket.reply_due_at IS NOT NULL AND ticket.replied_at IS NULL AND "
    + _listed("ticket.status", _WITH_UNIT)
)
OPEN_SHARE = text(_listed("assignment.state", (each for each in State if each in OPEN_STATES)))
Index(
    "ix_ticket_stage",
    ticket.c.status,
    RANK,
    ticket.c.stage_due_at,
    ticket.c.id,
    postgresql_where=OPEN,
)
Index("ix_ticket_open", ticket.c.registered_at, ticket.c.id, postgresql_where=OPEN)
Index(
    "ix_ticket_open_unit",
    ticket.c.unit_code,
    ticket.c.registered_at,
    ticket.c.id,
    postgresql_where=OPEN,
)
Index("ix_ticket_running", ticket.c.reply_due_at, ticket.c.id, postgresql_where=RUNNING)
Index(
    "ix_ticket_running_unit",
    ticket.c.unit_code,
    ticket.c.reply_due_at,
    ticket.c.id,
    postgresql_where=RUNNING,
)
Index(
    "ix_assignment_open",
    assignment.c.unit_code,
    assignment.c.due_at,
    assignment.c.ticket_id,
    assignment.c.no,
    postgresql_where=OPEN_SHARE,
    postgresql_include=["state", "warn_at"],
)
# What does not count with its unit as any other does: few, so that counting joins next to nothing.
ODD = text(
    "ticket.closed_at IS NULL AND (ticket.status = 'suspended' "
    "OR ticket.recused IS NOT NULL OR ticket.target_unit_code IS NOT NULL)"
)
Index(
    "ix_ticket_odd",
    ticket.c.id,
    postgresql_where=ODD,
    postgresql_include=["status", "recused", "target_unit_code"],
)
board_tally = Table(
    "board_tally",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("day", Date),
    Column("n", BigInteger, nullable=False),
)
Index("ix_board_tally_kind", board_tally.c.kind, board_tally.c.day)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    clause: str = Field(min_length=1)


class _Share(_Part):
    share: Decimal = Field(gt=0, le=1)


class _Trend(_Part):
    days: int = Field(ge=2, le=92)


class _Most(_Part):
    most: int = Field(ge=1, le=200)


class DesksPolicy(Policy):
    stage_warning: _Share
    trend: _Trend
    units_shown: _Most


DESKS = PolicyKind("tongban_hotline_dispatch", "desks.yaml", DesksPolicy)
