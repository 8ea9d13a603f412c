"""What the supervision API answers with. Free text is masked, as everywhere."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from tongban_common.http import LocalTime
from tongban_common.privacy import mask_text
from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.supervision import Deed, Supervision, SupervisionState
from tongban_hotline_dispatch.domain.supervision_cards import Card, CardAct, CardState
from tongban_hotline_dispatch.domain.supervision_rules import Colour, Form, Kind, Level
from tongban_hotline_dispatch.store import supervision_reads as reading


class SupervisionView(BaseModel):
    id: UUID
    kind: Kind
    level: Level | None
    form: Form | None
    state: SupervisionState
    cause: str
    legal_basis: str
    words: str | None
    issuer: str
    ticket_ids: list[UUID]
    unit_codes: list[str]
    issued_at: LocalTime
    policy_version: int
    reply_due: LocalTime | None
    round: int
    is_late: bool
    is_accepted: bool | None
    closed_at: LocalTime | None
    is_published: bool
    version: int

    @classmethod
    def of(cls, one: Supervision, *, now: datetime) -> Self:
        order, term = one.order, one.running
        is_late = term is not None and term.has_run_out(at=now)
        return cls(
            id=one.id,
            kind=one.kind,
            level=order.level,
            form=order.form,
            state=one.state,
            cause=order.cause,
            legal_basis=order.legal_basis,
            words=None if order.words is None else mask_text(order.words),
            issuer=order.issuer,
            ticket_ids=list(order.ticket_ids),
            unit_codes=list(one.units),
            issued_at=one.issued_at.astimezone(SHANGHAI),
            policy_version=one.policy_version,
            reply_due=one.reply_term and one.reply_term.due_at,
            round=one.round,
            is_late=one.was_missed or is_late,
            is_accepted=one.result,
            closed_at=one.closed_at,
            is_published=one.is_published,
            version=one.version,
        )


class SupervisionAnswerView(BaseModel):
    unit_code: str
    round: int
    text: str
    at: LocalTime
    is_late: bool


class SupervisionDecisionView(BaseModel):
    by: str
    at: LocalTime
    is_granted: bool
    note: str | None


class CardLineView(BaseModel):
    act: CardAct
    at: LocalTime
    actor: str
    reason: str | None
    words: str | None


class CardView(BaseModel):
    id: UUID
    unit_code: str
    colour: Colour
    state: CardState
    issued_at: LocalTime
    lines: list[CardLineView]

    @classmethod
    def of(cls, card: Card) -> Self:
        return cls(
            id=card.id,
            unit_code=card.unit_code,
            colour=card.colour,
            state=card.state,
            issued_at=card.issued_at,
            lines=[
                CardLineView(
                    act=each.act,
                    at=each.at,
                    actor=each.actor,
                    reason=each.reason,
                    words=None if each.words is None else mask_text(each.words),
                )
                for each in card.lines
            ],
        )


class SupervisionNoticeView(BaseModel):
    template: str
    template_version: int
    audience: list[str]
    at: LocalTime
    body: str


class SupervisionDeedView(BaseModel):
    version: int
    deed: Deed
    state: SupervisionState
    at: LocalTime
    actor: str


class SupervisionRecordView(SupervisionView):
    ticket_nos: list[str]
    unit_names: list[str]
    answers: list[SupervisionAnswerView]
    decisions: list[SupervisionDecisionView]
    closing_note: str | None
    notices: list[SupervisionNoticeView]
    cards: list[CardView]
    history: list[SupervisionDeedView]

    @classmethod
    def of_record(cls, record: reading.Record, *, now: datetime) -> Self:
        one = record.supervision
        return cls(
            **SupervisionView.of(one, now=now).model_dump(),
            ticket_nos=list(record.ticket_nos.values()),
            unit_names=list(record.unit_names.values()),
            answers=[
                SupervisionAnswerView(
                    unit_code=each.unit_code,
                    round=each.round,
                    text=mask_text(each.text),
                    at=each.at,
                    is_late=each.is_late,
                )
                for each in one.answers
            ],
            decisions=[
                SupervisionDecisionView(
                    by=each.by, at=each.at, is_granted=each.is_granted, note=each.note
                )
                for each in one.decisions
            ],
            closing_note=one.closing_note,
            notices=[
                SupervisionNoticeView(
                    template=each.template,
                    template_version=each.template_version,
                    audience=list(each.audience),
                    at=each.at,
                    body=each.body,
                )
                for each in record.notices
            ],
            cards=[CardView.of(each) for each in record.cards],
            history=[
                SupervisionDeedView(
                    version=each.version,
                    deed=each.deed,
                    state=each.state,
                    at=each.at,
                    actor=each.actor,
                )
                for each in record.history
            ],
        )


class SupervisionLineView(BaseModel):
    id: UUID
    kind: Kind
    level: Level | None
    form: Form | None
    state: SupervisionState
    cause: str
    unit_codes: list[str]
    tickets: int
    issued_at: LocalTime
    reply_due: LocalTime | None
    is_late: bool
    is_published: bool
    colours: list[Colour]
    version: int

    @classmethod
    def of(cls, line: reading.SupervisionLine, *, now: datetime) -> Self:
        return cls(
            id=line.id,
            kind=line.kind,
            level=line.level,
            form=line.form,
            state=line.state,
            cause=line.cause,
            unit_codes=list(line.units),
            tickets=line.tickets,
            issued_at=line.issued_at,
            reply_due=line.reply_due,
            is_late=line.is_late(now),
            is_published=line.is_published,
            colours=list(line.colours),
            version=line.version,
        )


class SupervisionPageView(BaseModel):
    items: list[SupervisionLineView]
    next: str | None
