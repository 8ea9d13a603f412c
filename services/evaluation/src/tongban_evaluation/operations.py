"""The use cases of evaluation: load, decide, save, announce, in the edge's transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tongban_common import timers
from tongban_common.auth import Principal
from tongban_common.clock import new_id
from tongban_common.db import Transaction
from tongban_common.errors import Forbidden
from tongban_common.http import check_version
from tongban_common.privacy import Signer
from tongban_common.timers import Deadline
from tongban_common.working_days import SHANGHAI
from tongban_evaluation.domain import invitation as invitations
from tongban_evaluation.domain import rectification as rectifications
from tongban_evaluation.domain import review as reviews
from tongban_evaluation.domain.deadlines import Clock
from tongban_evaluation.domain.invitation import Invitation, Matter
from tongban_evaluation.domain.rectification import Answer, Findings, Rectification, Rules
from tongban_evaluation.domain.review import Heard, Opinion, Review
from tongban_evaluation.domain.tags import Scale
from tongban_evaluation.events import (
    DeadlineApproaching,
    DeadlineMissed,
    DeadlineRescheduled,
    RectificationClosed,
    RectificationOpened,
    ReviewSubmitted,
)
from tongban_evaluation.store.policies import RuleBook
from tongban_evaluation.store.rectifications import Rectifications, Step
from tongban_evaluation.store.reviews import InvitationNotFound, Invitations, Reviews

Facts = Mapping[str, str | bool | None]


class NotYourUnit(Forbidden):
    code = "rectification.not_your_unit"


class Links:
    """Invitation links: the id and its signature. Nothing to guess, nothing of a person in it."""

    def __init__(self, secret: str, *, public_url: str) -> None:
        self._signer = Signer(secret, purpose="invitation")
        self._public_url = public_url.rstrip("/")

    def link(self, invitation_id: UUID) -> str:
        return f"{self._public_url}/evaluation/r/{self._signer.token(invitation_id.bytes)}"

    def invitation(self, token: str) -> UUID:
        """Raises InvitationNotFound for a token that is not ours."""
        payload = self._signer.payload(token)
        if payload is None or len(payload) != 16:
            raise InvitationNotFound("评价链接无效，请核对短信或者回执上的链接")
        return UUID(bytes=payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One action on one rectification: by whom, on which version of it, and when."""

    rectification_id: UUID
    expected: int
    actor: str
    scope: str | None  # of the actor, as `scope_of` tells
    at: datetime


def scope_of(who: Principal) -> str | None:
    """The one unit whose rectifications somebody may see and act on; None: all of them."""
    return None if who.may("rectification:any_unit") else who.unit or ""


def check_unit(scope: str | None, unit_code: str) -> None:
    """Raises NotYourUnit."""
    if scope is not None and scope != unit_code:
        raise NotYourUnit("只能查看和办理本单位的差评整改")


async def invite(tx: Transaction, *, matter: Matter, book: RuleBook, finished_at: datetime) -> None:
    """邀评: once for a matter, however often its end is announced."""
    rules = await book.on(finished_at.astimezone(SHANGHAI).date())
    invited = invitations.invite(
        matter,
        invitation_id=new_id(finished_at),
        limits=rules.limits,
        calendar=rules.calendar,
        at=finished_at,
    )
    await Invitations(tx).add(invited)


async def submit(
    tx: Transaction, *, invitation_id: UUID, opinion: Opinion, book: RuleBook, now: datetime
) -> Review:
    """A review by its invitation; a bad one opens its rectification in the same transaction."""
    scale = await book.scale_on(now.astimezone(SHANGHAI).date())
    invitation = await Invitations(tx).get(invitation_id)
    review = reviews.write(opinion, invitation, review_id=new_id(now), scale=scale, at=now)
    return await _record(tx, review, invitation.used(at=now), scale=scale, book=book)


async def record_callback(
    tx: Transaction, *, matter: Matter, heard: Heard, book: RuleBook, now: datetime
) -> Review | None:
    """What the hotline's callback heard is the ticket's one review, if nobody was there before."""
    await invite(tx, matter=matter, book=book, finished_at=now)
    invitation = await Invitations(tx).of_matter(matter)
    if invitation.used_at is not None:
        return None
    scale = await book.scale_on(now.astimezone(SHANGHAI).date())
    review = reviews.take_down(heard, invitation, review_id=new_id(now), scale=scale, at=now)
    return await _record(tx, review, invitation.taken_down(at=now), scale=scale, book=book)


async def verify(tx: Transaction, act: Act, findings: Findings, *, book: RuleBook) -> Rectification:
    """核实: is it true, is it just, where does it come from, how hard is it to put right."""
    before = await _taken(tx, act)
    rules = await book.pinned(before.limits_version)
    after = before.verify(findings, rules=rules, at=act.at)
    facts: Facts = {
        "is_factual": findings.is_factual,
        "is_reasonable": findings.is_reasonable,
        "root_cause": findings.root_cause,
        "grade": findings.grade,
        "note": findings.note,
    }
    return await _save(tx, before, after, rules=rules, step=_step("verify", act, facts))


async def rectify(tx: Transaction, act: Act, measures: str, *, book: RuleBook) -> Rectification:
    """整改"""
    before = await _taken(tx, act)
    rules = await book.pinned(before.limits_version)
    after = before.rectify(measures, rules=rules, at=act.at)
    step = _step("rectify", act, {"note": measures})
    return await _save(tx, before, after, rules=rules, step=step)


async def call_back(
    tx: Transaction, act: Act, answer: Answer, note: str | None, *, book: RuleBook
) -> Rectification:
    """回访"""
    before = await _taken(tx, act)
    rules = await book.pinned(before.limits_version)
    after = before.call_back(answer, rules=rules, at=act.at)
    step = _step("call_back", act, {"answer": answer, "note": note})
    return await _save(tx, before, after, rules=rules, step=step)


async def close(tx: Transaction, act: Act, *, book: RuleBook) -> Rectification:
    """办结"""
    before = await _taken(tx, act)
    rules = await book.pinned(before.limits_version)
    after = before.close(at=act.at)
    step = _step("close", act, {"outcome": after.outcome})
    await _save(tx, before, after, rules=rules, step=step)
    tx.publish(_closed(after, at=act.at))
    return after


async def approach(
    tx: Transaction, rectification: Rectification, clock: Clock, *, now: datetime
) -> None:
    tx.publish(
        DeadlineApproaching(
            rectification_id=rectification.id,
            unit_code=rectification.unit_code,
            stage=clock.stage,
            due=clock.term.due_at,
            occurred_at=now,
        )
    )


async def miss(
    tx: Transaction, rectification: Rectification, clock: Clock, *, now: datetime
) -> None:
    """The stage goes on; that it was missed is kept and announced."""
    await Rectifications(tx).note_missed(rectification.id, now=now)
    tx.publish(
        DeadlineMissed(
            rectification_id=rectification.id,
            unit_code=rectification.unit_code,
            stage=clock.stage,
            due=clock.term.due_at,
            occurred_at=now,
        )
    )


async def reschedule(
    tx: Transaction, rectification: Rectification, clock: Clock, *, old_due: datetime, now: datetime
) -> None:
    await Rectifications(tx).redate(rectification.redated(clock.term))
    tx.publish(
        DeadlineRescheduled(
            rectification_id=rectification.id,
            unit_code=rectification.unit_code,
            stage=clock.stage,
            old_due=old_due,
            new_due=clock.term.due_at,
            calendar_version=clock.term.calendar_version,
            occurred_at=now,
        )
    )


async def _record(
    tx: Transaction, review: Review, used: Invitation, *, scale: Scale, book: RuleBook
) -> Review:
    at = review.submitted_at
    await Reviews(tx).add(review)
    await Invitations(tx).save(used)
    tx.publish(_submitted(review))
    if scale.level(review.opinion.level).is_bad:
        await _open(tx, review, await book.on(at.astimezone(SHANGHAI).date()))
    return review


async def _open(tx: Transaction, review: Review, rules: Rules) -> None:
    at = review.submitted_at
    clock = rectifications.verification(rules, at=at)
    opened = rectifications.open_for(
        review, rectification_id=new_id(at), limits_version=rules.limits.version, clock=clock
    )
    await Rectifications(tx).add(opened, Step(action="open", at=at, actor=None, facts={}))
    await _arm(tx, opened.id, clock, rules)
    tx.publish(
        RectificationOpened(
            rectification_id=opened.id,
            review_id=review.id,
            unit_code=opened.unit_code,
            window_code=opened.window_code,
            level=opened.level,
            verify_due=clock.term.due_at,
            occurred_at=at,
        )
    )


async def _taken(tx: Transaction, act: Act) -> Rectification:
    """The rectification, locked. Raises NotYourUnit, and ChangedMeanwhile for a stale version."""
    found = await Rectifications(tx).get(act.rectification_id)
    check_unit(act.scope, found.unit_code)
    check_version(expected=act.expected, actual=found.version)
    return found


async def _save(
    tx: Transaction, before: Rectification, after: Rectification, *, rules: Rules, step: Step
) -> Rectification:
    await Rectifications(tx).save(before, after, step)
    if before.clock != after.clock:
        await timers.disarm(tx, subject=str(before.id), now=step.at)
        if after.clock is not None:
            await _arm(tx, after.id, after.clock, rules)
    return after


async def _arm(tx: Transaction, rectification_id: UUID, clock: Clock, rules: Rules) -> None:
    term = clock.term
    await timers.arm(
        tx,
        Deadline(
            kind=clock.stage,
            subject=str(rectification_id),
            start_at=term.start_at,
            limit=term.limit,
            due_at=term.due_at,
            warn_at=term.warn_at(rules.calendar, after=rules.limits.warn_after),
            calendar_version=term.calendar_version,
        ),
    )


def _step(action: str, act: Act, facts: Facts) -> Step:
    return Step(action=action, at=act.at, actor=act.actor, facts=facts)


def _submitted(review: Review) -> ReviewSubmitted:
    return ReviewSubmitted(
        review_id=review.id,
        matter_kind=review.matter.kind,
        matter_id=review.matter.id,
        unit_code=review.matter.unit_code,
        window_code=review.matter.window_code,
        level=review.opinion.level,
        channel=review.opinion.channel,
        tags=tuple(review.opinion.tags),
        tag_set_version=review.scale_version,
        occurred_at=review.submitted_at,
    )


def _closed(rectification: Rectification, *, at: datetime) -> RectificationClosed:
    findings = rectification.findings
    return RectificationClosed(
        rectification_id=rectification.id,
        review_id=rectification.review_id,
        unit_code=rectification.unit_code,
        window_code=rectification.window_code,
        staff_code=rectification.staff_code,
        is_substantiated=rectification.is_substantiated,
        root_cause=None if findings is None else findings.root_cause,
        outcome=rectification.outcome,
        answer=rectification.answer,
        occurred_at=at,
    )
