"""What the demo city's hotline has before the first call: who has what, and what to answer."""

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from tongban_common.clock import new_id
from tongban_common.policies import parse_document
from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.contacts import ContactRole, Person
from tongban_hotline_dispatch.domain.knowledge import Move
from tongban_hotline_dispatch.operations import contacts, dispatching, knowledge, knowledge_duties
from tongban_hotline_dispatch.operations.contacts import Appointment, ContactStep
from tongban_hotline_dispatch.operations.knowledge import ItemStep
from tongban_hotline_dispatch.operations.knowledge_import import ItemsImport, import_items
from tongban_hotline_dispatch.operations.matters import Load, first_catalogue
from tongban_suite.course import ACTOR
from tongban_suite.story import packaged

_REVIEWER = "demo-hotline_reviewer"


class _Contact(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    name: str
    post: str
    mobile: str
    role: ContactRole = ContactRole.LIAISON
    officer: str | None = None


class _Contacts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    contacts: list[_Contact]


async def furnish_hotline(kit: Kit, *, now: datetime) -> None:
    """The units are known by then; what is loaded is in force from that day."""
    today = now.astimezone(SHANGHAI).date()
    await first_catalogue(kit, now=now)
    load = Load(
        content=packaged("dispatch.csv").encode(),
        source="dispatch.csv",
        effective_from=today,
        actor=ACTOR,
    )
    async with kit.db.transaction() as tx:
        await dispatching.load_dispatch_rules(tx, load=load, now=now)
    await _appoint(kit, now)
    await _publish(kit, now)


async def _appoint(kit: Kit, now: datetime) -> None:
    found = parse_document(packaged("contacts.yaml"), _Contacts, where="contacts.yaml")
    ground = await contacts.ground_at(kit, now=now)
    async with kit.db.transaction() as tx:
        for each in found.contacts:
            new = Appointment(
                contact_id=new_id(now),
                unit_code=each.unit,
                role=each.role,
                person=Person(
                    name=each.name, post=each.post, mobile=each.mobile, officer=each.officer
                ),
                completed_on=now.astimezone(SHANGHAI).date(),
            )
            step = ContactStep(actor=ACTOR)
            await contacts.appoint(tx, new=new, step=step, ground=ground, now=now)


async def _publish(kit: Kit, now: datetime) -> None:
    """Written by one, reviewed and published by another."""
    content = packaged("knowledge.csv").encode()
    file = ItemsImport(content=content, actor=ACTOR, is_submitted=True)
    report = await import_items(kit, file=file, now=now)
    if report.refused:
        raise ValueError([each.reason for each in report.rows if each.reason])
    ground = await knowledge_duties.ground_at(kit, now=now)
    async with kit.db.transaction() as tx:
        for each in report.rows:
            if each.item_id is None:
                raise AssertionError("a row that was taken has its item")
            for number, move in enumerate((Move.REVIEW, Move.PUBLISH), start=1):
                step = ItemStep(item_id=each.item_id, actor=_REVIEWER)
                then = now + timedelta(minutes=number)
                await knowledge.act(tx, move=move, why="", step=step, ground=ground, now=then)
