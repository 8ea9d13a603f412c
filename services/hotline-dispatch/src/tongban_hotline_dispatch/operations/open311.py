"""What a client does through Open311: files a request, sends news of one. And its keys."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tongban_common import audit
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.errors import BadInput
from tongban_common.privacy import Sealer
from tongban_common.service import Kit
from tongban_hotline_dispatch.domain.elements import Details
from tongban_hotline_dispatch.domain.open311.fields import Fields, first
from tongban_hotline_dispatch.domain.open311.filing import Filing, filing, news
from tongban_hotline_dispatch.domain.open311.services import BadRequest, Catalogue, Kind, notice
from tongban_hotline_dispatch.domain.particulars import Coordinates
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.tickets import (
    Registration,
    Rules,
    new_query_code,
    register,
)
from tongban_hotline_dispatch.store import Complainant
from tongban_hotline_dispatch.store import open311 as store
from tongban_hotline_dispatch.store.open311 import Filed, Key, Keys, Known, Requests
from tongban_hotline_dispatch.store.reference import UnitNotFound

_CLIENT = re.compile(r"[a-z0-9_-]{1,40}")


class BadClient(BadInput):
    code = "open311.bad_client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What came, and what it is judged by."""

    api_key: str | None
    fields: Fields
    catalogue: Catalogue
    now: datetime


async def file_request(tx: Transaction, post: Post, *, rules: Rules, sealer: Sealer) -> Known:
    """A ticket like any other. What this client filed before is answered with what it became."""
    catalogue = post.catalogue
    client = await _client(tx, post)
    wanted = _checked(post)

    requests = Requests(tx)
    known = wanted.external_id and await requests.known(client, wanted.external_id)
    if known:
        return known
    new = Registration(
        ticket_id=new_id(post.now),
        query_code=new_query_code(),
        appeal=wanted.appeal(catalogue.channel, client=client),
        person=_complainant(wanted),
        actor=f"open311:{client}",
        target_unit=wanted.target_unit,
        hides_identity=wanted.hides_identity,
        details=_details(wanted),
    )
    try:
        ticket = await register(tx, new=new, rules=rules, sealer=sealer, now=post.now)
    except UnitNotFound as refusal:
        raise BadRequest(f"target_unit_code {refusal.message}") from None
    filed = Filed(
        ticket_id=ticket.id,
        client=client,
        filing=wanted,
        notice=None if ticket.citizen_term is None else notice(ticket.citizen_term.limit),
        token=secrets.token_urlsafe(16) if wanted.service.kind is Kind.BATCH else None,
        at=post.now,
    )
    await requests.add(filed)
    return _answer(ticket, filed)


async def take_news(tx: Transaction, post: Post) -> str:
    """Kept with the ticket for its staff; the id of the update. Sent again, it is kept once."""
    client = await _client(tx, post)
    post.catalogue.jurisdiction(first(post.fields, "jurisdiction_id"))
    said = news(post.catalogue, post.fields)
    requests = Requests(tx)
    ticket_id = await requests.of_client(client, said.service_request_id)
    await requests.add_news(ticket_id, client, said, now=post.now)
    return said.update_id


async def new_key(kit: Kit, client: str, *, now: datetime) -> tuple[int, str]:
    """Its number and the key itself. Raises BadClient."""
    async with kit.db.transaction() as tx:
        return await create_key(tx, client=client, actor="command", now=now)


async def stop_key(kit: Kit, key_id: int, *, now: datetime) -> str:
    """The client that had it. Raises KeyNotFound."""
    async with kit.db.transaction() as tx:
        return await revoke_key(tx, key_id=key_id, actor="command", now=now)


async def all_keys(kit: Kit) -> Sequence[Key]:
    async with kit.db.reading() as connection:
        return await store.keys(connection)


async def create_key(tx: Transaction, *, client: str, actor: str, now: datetime) -> tuple[int, str]:
    """Its number and the key itself, which nobody sees again. Raises BadClient."""
    if _CLIENT.fullmatch(client) is None:
        raise BadClient("客户端名称须为1至40个小写字母、数字、-、_")
    key_id, secret = await Keys(tx).create(client, now=now)
    await audit.record(
        tx, actor=actor, action="open311.key_created", subject=str(key_id), at=now, client=client
    )
    return key_id, secret


async def revoke_key(tx: Transaction, *, key_id: int, actor: str, now: datetime) -> str:
    """The client that had it."""
    client = await Keys(tx).revoke(key_id, now=now)
    await audit.record(
        tx, actor=actor, action="open311.key_revoked", subject=str(key_id), at=now, client=client
    )
    return client


async def _client(tx: Transaction, post: Post) -> str:
    return await Keys(tx).use(
        post.api_key, now=post.now, a_minute=post.catalogue.bounds.posts_a_minute
    )


def _checked(post: Post) -> Filing:
    catalogue, fields = post.catalogue, post.fields
    jurisdiction = catalogue.jurisdiction(first(fields, "jurisdiction_id"))
    code = first(fields, "service_code")
    if code is None:
        raise BadRequest("缺少 service_code")
    service = catalogue.service(code)
    return filing(catalogue, service, jurisdiction, fields)


def _complainant(wanted: Filing) -> Complainant:
    person = wanted.person
    return Complainant(name=person.name, phone=person.phone, email=person.email)


def _details(wanted: Filing) -> Details:
    lat, long = wanted.place.lat, wanted.place.long
    if lat is None or long is None:
        return Details()
    return Details(place=Coordinates.of(long, lat))


def _answer(ticket: Ticket, filed: Filed) -> Known:
    return Known(
        ticket_id=ticket.id,
        ticket_no=ticket.ticket_no,
        query_code=ticket.query_code,
        kind=filed.filing.service.kind,
        token=filed.token,
        notice=filed.notice,
    )
