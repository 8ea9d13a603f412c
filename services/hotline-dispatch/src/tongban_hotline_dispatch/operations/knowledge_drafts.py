"""What a closed consultation leaves to the knowledge base: a draft, and the duty to finish it."""

from uuid import UUID

from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.privacy import mask_text
from tongban_common.service import Kit
from tongban_common.timers import Due
from tongban_hotline_dispatch.domain.appeal import HIDDEN
from tongban_hotline_dispatch.domain.duties import DutyKind, KnowledgeRules
from tongban_hotline_dispatch.domain.knowledge import Body, Material
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import knowledge, knowledge_duties
from tongban_hotline_dispatch.operations.knowledge import ItemStep, Origin
from tongban_hotline_dispatch.store import Tickets
from tongban_hotline_dispatch.store.knowledge import Items

BY_HOTLINE = "hotline"


async def lock_ticket(tx: Transaction, subject: str) -> Ticket:
    return await Tickets(tx).get(UUID(subject))


async def make_draft(tx: Transaction, ticket: Ticket, due: Due, *, kit: Kit) -> None:
    """None where the consultation left one before, its title has an item already, or it is under
    seal by now."""
    if ticket.reply is None or ticket.unit_code is None or ticket.appeal.content == HIDDEN:
        return
    ground = await knowledge_duties.ground_at(kit, now=due.now)
    body = _body(ticket, ticket.unit_code, ticket.reply, ground.rules)
    items = Items(tx)
    if await items.has_source(ticket.id) or not await items.title_is_free(body):
        return
    item = await knowledge.create(
        tx,
        body=body,
        step=ItemStep(item_id=new_id(due.now), actor=BY_HOTLINE),
        ground=ground,
        now=due.now,
        origin=Origin(ticket_id=ticket.id),
    )
    new = knowledge_duties.NewDuty(
        duty_id=new_id(due.now),
        kind=DutyKind.DRAFT,
        unit_code=ticket.unit_code,
        about=f"工单 {ticket.ticket_no}",
        start_at=due.due_at,
        opened_by=BY_HOTLINE,
        item_id=item.id,
    )
    await knowledge_duties.open_duty(tx, new=new, ground=ground, now=due.now)


def _body(ticket: Ticket, unit_code: str, reply: str, rules: KnowledgeRules) -> Body:
    """Numbers inside the citizen's words are masked before anybody edits them."""
    question, answer = mask_text(ticket.shown_content), mask_text(reply)
    return Body(
        title=mask_text(ticket.shown_title).strip()[: rules.bounds.title],
        content=f"问：{question}\n\n答：{answer}"[: rules.bounds.content],
        unit_code=unit_code,
        category=rules.draft_category,
        material=Material.DAILY_CONSULT,
    )
