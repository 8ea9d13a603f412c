"""送审签 on a ticket's page: what is written goes to the unit's leader first (hotline.md 3.3)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tongban_hotline_dispatch.domain.moves import Act
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import sign_offs
from tongban_hotline_dispatch.pages.forms import Field, Kind
from tongban_hotline_dispatch.pages.move_fields import GROUND, REPLY
from tongban_hotline_dispatch.pages.moves import Acting, PageMove, Said, is_lead, may_return
from tongban_hotline_dispatch.store.sign_offs import What

# As in the form of the reply itself, which stands on the same page under its own labels.
_LABELS = {
    "text": "拟答复内容",
    "internal": "拟报内部情况",
    "citations": "所据文号",
    "evidence": "拟附凭证",
    "is_resolved": "拟报结果",
}
RETURN = (
    GROUND,
    Field(name="citation", label="法律依据", most=500),
    Field(name="suggested_unit", label="建议承办单位", kind=Kind.SELECT, listed="units"),
)


async def _propose(acting: Acting, what: What, text: Mapping[str, Any]) -> Ticket:
    return await sign_offs.propose(
        acting.tx, step=acting.step, what=what, text=text, now=acting.now
    )


async def _reply(acting: Acting, said: Said) -> Ticket:
    text = {
        "text": said["text"],
        "internal": said["internal"],
        "citations": list(said["citations"]),
        "evidence": list(said["evidence"]),
        "is_resolved": said["is_resolved"] != "no",
    }
    return await _propose(acting, "reply", text)


async def _return(acting: Acting, said: Said) -> Ticket:
    return await _propose(acting, "return", {of.name: said[of.name] for of in RETURN})


SIGNING = (
    PageMove(
        path="sign-off-reply",
        name="答复送审签",
        permission="reply",
        act=Act.REPLY,
        does=_reply,
        fields=tuple(replace(of, label=_LABELS[of.name]) for of in REPLY),
        on_share=True,
        when=is_lead,
    ),
    PageMove(
        path="sign-off-return",
        name="退单送审签",
        permission="ask",
        act=Act.ASK_RETURN,
        does=_return,
        fields=RETURN,
        on_share=True,
        when=may_return,
    ),
)
