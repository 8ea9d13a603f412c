"""The moves that the ticket's page offers, row by row, in the order in which they stand there."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from tongban_common.auth import Principal
from tongban_hotline_dispatch.domain.assignment import AskKind, ContactWay, Role
from tongban_hotline_dispatch.domain.moves import Act
from tongban_hotline_dispatch.domain.ticket import Ticket
from tongban_hotline_dispatch.operations import Desk
from tongban_hotline_dispatch.operations.callbacks import CallbackDesk
from tongban_hotline_dispatch.pages.forms import Field, Kind
from tongban_hotline_dispatch.pages.move_fields import (
    CANNOT,
    CAUSE,
    CONTACT,
    DAYS,
    DISPOSITION,
    GROUND,
    HEARD,
    NO_REDO,
    NOTE,
    PARENT,
    REOPENED,
    REPLY,
    ROLE,
    SIGNED_OFF,
    SURE,
    UNIT,
    WORDS,
)
from tongban_hotline_dispatch.pages.moves import (
    Acting,
    Does,
    PageMove,
    Said,
    Seen,
    answer,
    asked_for,
    asking,
    calls_back,
    close,
    decides_review,
    deciding,
    forces,
    heard,
    is_co,
    is_exempt,
    is_lead,
    is_whistled,
    lead_may_ask,
    may_extend,
    may_give_up,
    may_return,
    may_whistle,
    merge,
    sign,
    unsigned,
)
from tongban_hotline_dispatch.pages.signing import RETURN, SIGNING


def _on(does: Callable[[Desk, Any], Awaitable[Ticket]]) -> Does:
    return lambda acting, said: does(acting.desk, said)


def _on_calls(does: Callable[[CallbackDesk, Any], Awaitable[Ticket]]) -> Does:
    return lambda acting, said: does(acting.calls, said)


_ASKS = (
    (
        AskKind.EXTENSION,
        "延期",
        Act.ASK_EXTENSION,
        Act.APPROVE_EXTENSION,
        may_extend,
        (
            GROUND,
            Field(name="citation", label="依据", most=500),
            Field(
                name="amount",
                label="延长多少",
                kind=Kind.NUMBER,
                most=365,
                hint="与原时限同单位；到期前提出",
            ),
        ),
    ),
    (AskKind.RETURN, "退单", Act.ASK_RETURN, Act.UPHOLD_RETURN, may_return, RETURN),
    (
        AskKind.SUSPENSION,
        "挂起",
        Act.ASK_SUSPENSION,
        Act.SUSPEND,
        lead_may_ask,
        (
            Field(name="pause_reason", label="挂起事由", kind=Kind.SELECT, listed="pause_reasons"),
            GROUND,
        ),
    ),
    (
        AskKind.PHASE,
        "阶段性办结",
        Act.ASK_PHASE,
        Act.PHASE,
        lead_may_ask,
        (
            Field(name="measures", label="已采取的措施", kind=Kind.AREA, most=20_000),
            Field(name="promised_on", label="承诺办结日期", kind=Kind.DATE),
        ),
    ),
    (
        AskKind.TERMINATION,
        "终止",
        Act.ASK_TERMINATION,
        Act.TERMINATE,
        lead_may_ask,
        (GROUND,),
    ),
)


def _ask_moves() -> tuple[PageMove, ...]:
    return tuple(
        PageMove(
            path=f"ask-{kind}",
            name=f"申请{name}",
            permission="ask",
            act=act,
            does=asking(kind),
            fields=(*fields, SIGNED_OFF),
            on_share=kind is AskKind.RETURN,
            when=when,
        )
        for kind, name, act, _, when, fields in _ASKS
    )


def _decisions() -> tuple[PageMove, ...]:
    told = Field(name="is_told", label="已告知诉求人", kind=Kind.CHECK, required=False)
    granted = Field(name="granted", label="审核结论", kind=Kind.CHOICE)
    return tuple(
        PageMove(
            path=f"decide-{kind}",
            name=f"审核{name}申请",
            permission=f"decide_{kind}",
            act=act,
            does=deciding(kind),
            fields=(granted, NOTE, told) if kind is AskKind.EXTENSION else (granted, NOTE),
            when=asked_for(kind),
            buttons=(("granted", "yes", f"准予{name}"), ("granted", "no", f"不予{name}")),
            is_main=True,
        )
        for kind, name, _, act, _, _ in _ASKS
    )


async def _assign(acting: Acting, said: Said) -> Ticket:
    return await acting.assign(said["unit_code"])


async def _designate(acting: Acting, said: Said) -> Ticket:
    return await acting.assign(said["unit_code"], forced=True)


async def _contact(acting: Acting, said: Said) -> Ticket:
    way = said["way"] or (ContactWay.PHONE if said["number"] else None)
    return await acting.desk.contact(
        None if way is None else ContactWay(way), said["number"], sealer=acting.sealer
    )


async def _route_out(acting: Acting, said: Said) -> Ticket:
    return await acting.desk.route_out(said["disposition"], sealer=acting.sealer)


def _row(path: str, name: str, permission: str, act: Act, does: Does, **more: Any) -> PageMove:
    return PageMove(path=path, name=name, permission=permission, act=act, does=does, **more)


MOVES: tuple[PageMove, ...] = (
    _row("sign", "签收", "sign", Act.SIGN, sign, on_share=True, when=unsigned, is_main=True),
    _row(
        "contact",
        "已先行联系诉求人",
        "reply",
        Act.CONTACT,
        _contact,
        fields=CONTACT,
        on_share=True,
    ),
    _row(
        "report-in",
        "已到现场报到",
        "reply",
        Act.REPORT_IN,
        _on(lambda d, _: d.report_in()),
        on_share=True,
        when=is_whistled,
        is_main=True,
    ),
    _row(
        "reply",
        "答复",
        "reply",
        Act.REPLY,
        answer,
        fields=REPLY,
        on_share=True,
        when=is_lead,
        is_main=True,
    ),
    _row(
        "co-reply",
        "协办反馈",
        "reply",
        Act.CO_REPLY,
        answer,
        fields=REPLY,
        on_share=True,
        when=is_co,
        is_main=True,
    ),
    _row("resume", "恢复办理", "ask", Act.RESUME, _on(lambda d, _: d.resume()), is_main=True),
    *_decisions(),
    _row("assign", "派单", "assign", Act.ASSIGN, _assign, fields=(UNIT,), is_main=True),
    _row(
        "designate",
        "指定承办",
        "center",
        Act.FORCE,
        _designate,
        fields=(UNIT,),
        when=lambda s: not forces(s),
    ),
    _row(
        "review-pass",
        "审核通过",
        "review",
        Act.PASS_REVIEW,
        _on(lambda d, _: d.pass_review()),
        is_main=True,
    ),
    _row(
        "review-fail", "审核退回重办", "review", Act.FAIL_REVIEW, _on(lambda d, _: d.fail_review())
    ),
    _row(
        "callback-complete",
        "登记回访结果",
        "callback",
        Act.CALL_BACK,
        _on_calls(lambda c, said: c.hear(heard(said))),
        fields=HEARD,
        when=calls_back,
        is_main=True,
    ),
    _row(
        "callback-attempt",
        "本次未接通",
        "callback",
        Act.ATTEMPT,
        _on_calls(lambda c, _: c.attempt()),
        when=calls_back,
    ),
    _row(
        "callback-give-up",
        "多次未接通，办结",
        "callback",
        Act.LAPSE_CALLBACK,
        _on_calls(lambda c, _: c.give_up()),
        when=may_give_up,
    ),
    _row(
        "callback-skip",
        "无法回访",
        "callback",
        Act.LAPSE_CALLBACK,
        _on_calls(lambda c, said: c.skip(said["reason"])),
        fields=(CANNOT,),
        when=calls_back,
    ),
    _row(
        "callback-decide",
        "处理自行评价的差评",
        "callback",
        Act.CALL_BACK,
        _on_calls(lambda c, said: c.decide(said["no_redo"])),
        fields=(replace(NO_REDO, hint="不填则退回重办"),),
        when=decides_review,
        is_main=True,
    ),
    _row("close", "办结（依规则免回访）", "close", Act.CLOSE, close, when=is_exempt),
    _row("consult", "转会商", "consult", Act.CONSULT, _on(lambda d, _: d.consult())),
    _row(
        "conclude",
        "会商结束",
        "consult",
        Act.CONCLUDE,
        _on(lambda d, said: d.conclude(said["words"])),
        fields=(replace(WORDS, label="会商结论"),),
        is_main=True,
    ),
    _row(
        "transfer",
        "改派",
        "assign",
        Act.TRANSFER,
        _on(lambda d, said: d.transfer(said["unit_code"])),
        fields=(replace(UNIT, label="改派给"),),
    ),
    *_ask_moves(),
    *SIGNING,
    _row(
        "add-unit",
        "加派协办、吹哨",
        "share",
        Act.ADD_UNIT,
        _on(lambda d, said: d.add_unit(said["unit_code"], Role(said["role"]), said["days"])),
        fields=(replace(UNIT, label="协办单位"), ROLE, DAYS),
        when=is_lead,
    ),
    _row(
        "whistle",
        "吹哨",
        "share",
        Act.ADD_UNIT,
        _on(lambda d, said: d.add_unit(said["unit_code"], Role.WHISTLE, said["days"])),
        fields=(replace(UNIT, label="请到现场的单位"), DAYS),
        when=may_whistle,
    ),
    _row(
        "delegate",
        "下派",
        "share",
        Act.DELEGATE,
        _on(lambda d, said: d.delegate(said["unit_code"], said["days"])),
        fields=(replace(UNIT, label="下派给"), DAYS),
    ),
    _row(
        "supplement",
        "补充事实",
        "intake",
        Act.SUPPLEMENT,
        _on(lambda d, said: d.supplement(said["words"])),
        fields=(replace(WORDS, label="补充的事实"),),
    ),
    _row(
        "request-facts",
        "要求补充",
        "intake",
        Act.REQUEST_FACTS,
        _on(lambda d, _: d.request_facts()),
    ),
    _row(
        "answer",
        "直接答复",
        "intake",
        Act.ANSWER,
        _on(lambda d, said: d.answer(said["words"])),
        fields=(replace(WORDS, label="答复内容"),),
    ),
    _row("route-out", "引导至其他渠道", "intake", Act.ROUTE_OUT, _route_out, fields=(DISPOSITION,)),
    _row("merge", "并入主单", "merge", Act.MERGE, merge, fields=(PARENT,)),
    _row("unmerge", "拆单", "merge", Act.UNMERGE, _on(lambda d, _: d.unmerge())),
    _row(
        "supervise",
        "督办",
        "supervise",
        Act.SUPERVISE,
        _on(lambda d, said: d.supervise(said["reason"])),
        fields=(CAUSE,),
    ),
    _row(
        "escalate",
        "列为疑难",
        "supervise",
        Act.ESCALATE,
        _on(lambda d, said: d.escalate(said["reason"])),
        fields=(CAUSE,),
    ),
    _row(
        "reopen",
        "重启办理",
        "reopen",
        Act.REOPEN,
        _on(lambda d, said: d.reopen(said["reason"])),
        fields=(REOPENED,),
    ),
    _row(
        "withdraw", "撤单", "intake", Act.WITHDRAW, _on(lambda d, _: d.withdraw()), fields=(SURE,)
    ),
)
BY_PATH = {each.path: each for each in MOVES}


def offered(seen: Seen, who: Principal) -> list[PageMove]:
    return [each for each in MOVES if each.is_offered(seen, who)]
