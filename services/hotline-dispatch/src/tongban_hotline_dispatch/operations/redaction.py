"""What units and the public see of people's own words (hotline.md 2.5: `content_public_to_unit`).

Numbers are masked wherever words are shown. Names are harder: that of the complainant is known, and
people write their own after certain words. Both are hidden once, when the words come in; whatever
else identifies somebody, the hub takes out by hand.
"""

import re
from dataclasses import replace
from datetime import datetime

from tongban_common.db import Transaction
from tongban_common.privacy import mask_name, mask_phone, mask_text
from tongban_hotline_dispatch.domain.guard import GuardAct
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations.performing import Step, changeable
from tongban_hotline_dispatch.store import Complainant, Tickets
from tongban_hotline_dispatch.store.guard import GuardLine, Guards

# 我叫张三、联系人：李四: what people write before a name
_NAMED = re.compile(
    r"((?:我|本人|户主|当事人|联系人|姓名)(?:名?叫|姓名是|[:：]\s*))([\u4e00-\u9fff]{2,3})(?=[，,。、；;\s（(]|$)"
)
_HIDDEN = "某某"
_CALLED = "先生|女士|小姐|老师|师傅|大爷|大妈|大叔|阿姨|同志"


def without_persons(text: str, name: str | None) -> str:
    """Numbers masked, the complainant's name hidden, and names that people give of themselves."""
    if name and len(name) > 1:
        text = text.replace(name, _HIDDEN)
    return _NAMED.sub(rf"\1{_HIDDEN}", mask_text(text))


def shown(text: str, person: Complainant, *, is_hidden: bool) -> str:
    """As units see it: who asks to be hidden is in it neither by name nor by where they live."""
    for known in (person.email, *((person.phone, person.address) if is_hidden else ())):
        if known and len(known) >= 5:
            text = text.replace(known, "*" * len(known))
    if person.phone and not is_hidden:
        text = text.replace(person.phone, mask_phone(person.phone))
    name = person.name or ""
    if len(name) > 1:
        text = text.replace(name, "*" * len(name) if is_hidden else mask_name(name))
    if is_hidden and name:
        text = re.sub(rf"{re.escape(name[0])}(?={_CALLED})", "*", text)
    return _NAMED.sub(rf"\1{_HIDDEN}", mask_text(text))


def redacted(ticket: Ticket, person: Complainant) -> Ticket:
    """With words of its own for units, where masking the numbers is not enough."""
    appeal, is_hidden = ticket.appeal, ticket.hides_identity
    title = shown(appeal.title, person, is_hidden=is_hidden)
    content = shown(appeal.content, person, is_hidden=is_hidden)
    return replace(
        ticket,
        public_title=None if title == mask_text(appeal.title) else title,
        public_content=None if content == mask_text(appeal.content) else content,
    )


async def rewrite(
    tx: Transaction, *, step: Step, title: str, content: str, reason: str, now: datetime
) -> Ticket:
    """隐去可识别信息: the words that units and the public see from now on; the original stays."""
    before = await changeable(tx, step)
    ticket = replace(before, public_title=mask_text(title), public_content=mask_text(content))
    line = GuardLine(
        ticket_id=ticket.id,
        at=now,
        act=GuardAct.REDACTED,
        actor=step.actor,
        reason=mask_text(reason),
    )
    await Tickets(tx).rewrite(ticket)
    await Guards(tx).add(line)
    return ticket
