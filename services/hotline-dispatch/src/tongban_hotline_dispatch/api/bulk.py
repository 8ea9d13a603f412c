"""Moves by the hundred: assign, transfer, extend, with a result for each ticket."""

from uuid import UUID

from pydantic import BaseModel, Field

from tongban_common.auth import Principal, require
from tongban_common.bodies import Body
from tongban_common.db import Transaction
from tongban_common.http import Now, Pieces, Router
from tongban_common.service import Parts
from tongban_hotline_dispatch import operations
from tongban_hotline_dispatch.api.tickets import InForce
from tongban_hotline_dispatch.domain.asking import Decision
from tongban_hotline_dispatch.domain.assignment import AskKind
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk, Step, acts_for
from tongban_hotline_dispatch.operations.bulk import MOST, Item, Outcome, one_by_one

router = Router(prefix="/hotline/v1/tickets/bulk", tags=["批量办理"])


class _Seen(Body):
    ticket_id: UUID
    version: int | None = Field(default=None, ge=1, description="所见版本；不给出则不核对")


class ToUnitItem(_Seen):
    unit_code: str = Field(min_length=1, max_length=64)


class ExtendItem(_Seen):
    is_granted: bool = True
    is_told: bool = Field(default=False, description="已告知诉求人")
    note: str = Field(default="", max_length=2000)


class ToUnitsRequest(Body):
    items: list[ToUnitItem] = Field(min_length=1, max_length=MOST)


class ExtendRequest(Body):
    items: list[ExtendItem] = Field(min_length=1, max_length=MOST)


class OutcomeView(BaseModel):
    ticket_id: UUID
    version: int | None
    code: str | None
    reason: str | None


class BulkView(BaseModel):
    done: int
    refused: int
    results: list[OutcomeView]

    @classmethod
    def of(cls, outcomes: list[Outcome]) -> "BulkView":
        done = sum(each.code is None for each in outcomes)
        return cls(
            done=done,
            refused=len(outcomes) - done,
            results=[
                OutcomeView(
                    ticket_id=each.ticket_id,
                    version=each.version,
                    code=each.code,
                    reason=each.reason,
                )
                for each in outcomes
            ],
        )


@router.post("/assign", summary="批量派单")
async def assign(
    body: ToUnitsRequest,
    rules: InForce,
    now: Now,
    kit: Parts,
    pieces: Pieces,
    who: Principal = require("ticket:assign"),
) -> BulkView:
    async def move(tx: Transaction, item: Item[ToUnitItem]) -> Ticket:
        step = _step(item.wanted, who)
        to = item.wanted.unit_code
        return await operations.assign(tx, step=step, unit_code=to, rules=rules, now=now)

    items = [Item(ticket_id=each.ticket_id, wanted=each) for each in body.items]
    return BulkView.of(await one_by_one(kit, items, move, pieces))


@router.post("/transfer", summary="批量改派")
async def transfer(
    body: ToUnitsRequest,
    rules: InForce,
    now: Now,
    kit: Parts,
    pieces: Pieces,
    who: Principal = require("ticket:assign"),
) -> BulkView:
    async def move(tx: Transaction, item: Item[ToUnitItem]) -> Ticket:
        desk = Desk(tx, step=_step(item.wanted, who), rules=rules, now=now)
        return await desk.transfer(item.wanted.unit_code)

    items = [Item(ticket_id=each.ticket_id, wanted=each) for each in body.items]
    return BulkView.of(await one_by_one(kit, items, move, pieces))


@router.post("/extend", summary="批量审核延期")
async def extend(
    body: ExtendRequest,
    rules: InForce,
    now: Now,
    kit: Parts,
    pieces: Pieces,
    who: Principal = require("ticket:decide_extension"),
) -> BulkView:
    """Decides on the extensions that the units asked for."""

    async def move(tx: Transaction, item: Item[ExtendItem]) -> Ticket:
        wanted = item.wanted
        decision = Decision(
            kind=AskKind.EXTENSION,
            is_granted=wanted.is_granted,
            by=who.subject,
            note=wanted.note,
            is_told=wanted.is_told,
            by_center=who.may("ticket:center"),
        )
        desk = Desk(tx, step=_step(wanted, who), rules=rules, now=now)
        return await desk.decide(decision)

    items = [Item(ticket_id=each.ticket_id, wanted=each) for each in body.items]
    return BulkView.of(await one_by_one(kit, items, move, pieces))


def _step(item: _Seen, who: Principal) -> Step:
    return Step(
        ticket_id=item.ticket_id,
        actor=who.subject,
        unit=acts_for(who),
        seen_version=item.version,
    )
