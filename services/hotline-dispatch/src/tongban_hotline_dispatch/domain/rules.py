"""What the clocks and the decisions of a ticket are computed from, as in force at one moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from tongban_common.working_days import SHANGHAI, Limit, Unit, WorkingCalendar
from tongban_hotline_dispatch.domain.appeal import Appeal, AppealType
from tongban_hotline_dispatch.domain.callback_rules import CallbackBook
from tongban_hotline_dispatch.domain.deadlines import Facts, Pause, ReplyLimits, ReplyRule, Term
from tongban_hotline_dispatch.domain.elements import AtOnce
from tongban_hotline_dispatch.domain.identity import IdentityRules
from tongban_hotline_dispatch.domain.process import Process
from tongban_hotline_dispatch.domain.repeats import LikenessRules
from tongban_hotline_dispatch.domain.supervision_rules import SupervisionRules
from tongban_hotline_dispatch.domain.surge import Surge, surge_limit
from tongban_hotline_dispatch.domain.upstream_rules import UpstreamRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    calendar: WorkingCalendar
    limits: ReplyLimits
    process: Process
    editions: Mapping[int, Process] = field(default_factory=dict)  # for what pinned an earlier one
    supervision: SupervisionRules | None = None
    surges: Sequence[Surge] = ()  # never pinned: they hold for whatever moves in their window
    likeness: LikenessRules | None = None  # None: a matter is not compared with others
    upstream: UpstreamRules | None = None  # None: nothing goes back up
    callback: CallbackBook | None = None
    at_once: Mapping[AppealType, AtOnce] = field(default_factory=dict)  # 登记即办结
    identity: IdentityRules | None = None  # None: identity is hidden on request only
    # The digest of the key by which a ticket's complainant may rate it; None: nobody is asked.
    rating_digest: Callable[[UUID], str] | None = field(default=None, compare=False)

    def with_one_limit(self, limit: Limit) -> "Rules":
        """The same limit for every matter and both clocks: a policy given by value."""
        rules = (ReplyRule(limit=limit),)
        policy = f"one-limit/{limit.amount}-{limit.unit}"
        limits = replace(self.limits, policy=policy, rules=rules, citizen_slack=0)
        return replace(self, limits=limits)

    def hides_identity(self, appeal: Appeal, *, asked: bool | None) -> bool:
        if self.identity is None:
            return bool(asked)
        return self.identity.hides(appeal.appeal_type, asked=asked)

    def pinned(self, version: int | None) -> "Rules":
        """With the process as it stood when the ticket was assigned."""
        if version is None or version == self.process.version:
            return self
        return replace(self, process=self.editions[version])

    def citizen_term(self, appeal: Appeal, now: datetime) -> Term:
        surge = surge_limit(self.surges, "reply", appeal, now)
        limit = surge or self.limits.pick_for_citizen(Facts.of(appeal))
        return self._fitted(self.limits.term(self.calendar, limit, start_at=now), appeal)

    def reply_term(self, appeal: Appeal, level: str, now: datetime) -> Term:
        surge = surge_limit(self.surges, "reply", appeal, now)
        limit = surge or self.limits.pick(Facts.of(appeal, level=level))
        return self._fitted(self.limits.term(self.calendar, limit, start_at=now), appeal)

    def co_term(self, lead: Term, now: datetime, days: int | None) -> Term:
        """协办: what the lead has left less a margin, and never less than one."""
        clause = f"协办时限早于主办：{lead.limit.clause}"
        if lead.limit.unit.is_elapsed:
            hours = max(1, int((lead.due_at - now).total_seconds()) // 3600)
            return self._plain(Limit(amount=hours, unit=Unit.HOURS, clause=clause), now)
        today, last = (each.astimezone(SHANGHAI).date() for each in (now, lead.due_at))
        left = self.calendar.working_days_between(today, last)
        margin = self.process.counts.co_unit_margin
        amount = max(1, min(left - margin, days if days is not None else left))
        return self._plain(Limit(amount=amount, unit=Unit.WORKING_DAYS, clause=clause), now)

    def stage_term(self, name: str, appeal: Appeal, at: datetime) -> Term:
        """The limit of a stage of the process: it is watched, and not warned of."""
        surge = surge_limit(self.surges, name, appeal, at)
        limit = surge or self.process.limit(name, appeal)
        term = self.limits.term(self.calendar, limit, start_at=at)
        return replace(term, policy=self.process.label, warn_at=None)

    def capped(self, term: Term, at: datetime) -> Term:
        """The term that ends at a moment of its own at the latest."""
        term = self.limits.rewound(self.calendar, replace(term, cap_at=at))
        return replace(term, warn_at=None)

    def extended(self, term: Term, by: int) -> Term:
        limit = replace(term.limit, amount=term.limit.amount + by)
        longer = replace(term, limit=limit, extended_by=term.extended_by + by)
        return self.limits.rewound(self.calendar, longer)

    def recounted(self, term: Term) -> Term:
        """By the calendar as it is known now."""
        return self.limits.rewound(self.calendar, term)

    def paused(self, term: Term, pause: Pause) -> Term:
        """A term that had run out before the pause stays as it is."""
        if term.has_run_out(at=pause.from_at):
            return term
        longer = replace(term, pauses=(*term.pauses, pause))
        return self.limits.rewound(self.calendar, longer)

    def carried_over(self, fresh: Term, old: Term) -> Term:
        """A term by newer limits with what had happened to the old one: extended, paused."""
        limit = replace(fresh.limit, amount=fresh.limit.amount + old.extended_by)
        if fresh.limit.unit is not old.limit.unit:
            limit = fresh.limit  # an extension in days says nothing in hours
        extended = old.extended_by if limit is not fresh.limit else 0
        kept = replace(fresh, limit=limit, extended_by=extended, pauses=old.pauses)
        return self.limits.rewound(self.calendar, kept)

    def _plain(self, limit: Limit, now: datetime) -> Term:
        return self.limits.term(self.calendar, limit, start_at=now)

    def _fitted(self, term: Term, appeal: Appeal) -> Term:
        """上级平台的期限在先的从其期限，法定期限更长的从其期限。"""
        if appeal.upstream_due is None and appeal.statutory_due is None:
            return term
        fitted = replace(term, cap_at=appeal.upstream_due, floor_at=appeal.statutory_due)
        return self.limits.rewound(self.calendar, fitted)
