"""A reappraisal (复核): a unit contests a bad mark, the county reviews, the city decides.

Satisfaction and resolution are judged apart. What the citizen said is never changed: the outcome
says whether the mark counts against the unit, and whether it was reasonable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from tongban_common.errors import Conflict, Forbidden, RuleViolation
from tongban_hotline_dispatch.domain.callback import Mark, Resolved
from tongban_hotline_dispatch.domain.callback_rules import CallbackRules
from tongban_hotline_dispatch.domain.deadlines import Term
from tongban_hotline_dispatch.domain.rules import Rules


class Track(StrEnum):
    SATISFACTION = "satisfaction"  # 满意度
    RESOLUTION = "resolution"  # 解决情况


class Level(StrEnum):
    COUNTY = "county"  # 县级
    CITY = "city"  # 市级


class Verdict(StrEnum):
    PASSED = "pass"  # 通过
    FAILED = "fail"  # 不通过
    OUT_OF_SCOPE = "out_of_scope_pass"  # 不属考核范围，通过
    WITHDRAWN = "withdrawn_pass"  # 诉求人撤回，通过

    @property
    def passes(self) -> bool:
        return self is not Verdict.FAILED


class State(StrEnum):
    AT_COUNTY = "at_county"  # 待县级复核
    AT_CITY = "at_city"  # 待市级复核
    PASSED = "passed"  # 复核通过
    FAILED = "failed"  # 维持原评价
    WITHDRAWN = "withdrawn"  # 已撤回


class Act(StrEnum):
    REQUEST = "requested"
    PASS = "county_passed"  # noqa: S105 - a word of the history
    FAIL = "county_failed"
    DECIDE = "decided"
    WITHDRAW = "withdrawn"


STATE_NAMES: Mapping[State, str] = {
    State.AT_COUNTY: "待县级复核",
    State.AT_CITY: "待市级复核",
    State.PASSED: "复核通过",
    State.FAILED: "维持原评价",
    State.WITHDRAWN: "已撤回",
}
TRACK_NAMES: Mapping[Track, str] = {Track.SATISFACTION: "满意度", Track.RESOLUTION: "解决情况"}
VERDICT_NAMES: Mapping[Verdict, str] = {
    Verdict.PASSED: "通过",
    Verdict.FAILED: "不通过",
    Verdict.OUT_OF_SCOPE: "不属考核范围，通过",
    Verdict.WITHDRAWN: "诉求人撤回差评，通过",
}
# From where an act may lead to where; None is before it was asked for. The command chooses.
MOVES: Mapping[tuple[Act, State | None], frozenset[State]] = {
    (Act.REQUEST, None): frozenset({State.AT_COUNTY, State.AT_CITY}),
    (Act.PASS, State.AT_COUNTY): frozenset({State.AT_CITY}),
    (Act.FAIL, State.AT_COUNTY): frozenset({State.FAILED}),
    (Act.DECIDE, State.AT_CITY): frozenset({State.PASSED, State.FAILED}),
    (Act.WITHDRAW, State.AT_COUNTY): frozenset({State.WITHDRAWN}),
    (Act.WITHDRAW, State.AT_CITY): frozenset({State.WITHDRAWN}),
}


class IllegalReappraisalMove(Conflict):
    code = "reappraisal.illegal_move"


class NothingToContest(RuleViolation):
    code = "reappraisal.nothing_to_contest"


class TooLateToContest(RuleViolation):
    code = "reappraisal.too_late"


class NotSignedOff(RuleViolation):
    code = "reappraisal.not_signed_off"


class VerdictMissing(RuleViolation):
    code = "reappraisal.verdict_missing"


class SamePerson(RuleViolation):
    code = "reappraisal.same_person"


class NotYourReappraisal(Forbidden):
    code = "reappraisal.not_your_unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contested:
    """The rating of record of one ticket, and the unit that it is about."""

    ticket_id: UUID
    unit_code: str
    unit_level: str
    result: Mark | None
    resolved: Resolved | None
    rated_at: datetime

    @property
    def bad(self) -> frozenset[Track]:
        found = set()
        if self.result is Mark.DISSATISFIED:
            found.add(Track.SATISFACTION)
        if self.resolved is Resolved.NO:
            found.add(Track.RESOLUTION)
        return frozenset(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    tracks: frozenset[Track]
    ground: str  # of the policy's list
    words: str
    evidence: Sequence[str]  # references of what was handed in
    by: str
    is_signed_off: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CountyReview:
    is_passed: bool
    by: str | None  # None: nobody did in time
    at: datetime
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """市级复核."""

    verdicts: Mapping[Track, Verdict]
    is_assessable: bool  # 纳入考核
    is_reasonable: bool | None  # 差评合理
    by: str | None  # None: nobody did in time
    at: datetime
    reason: str | None = None
    evidence: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reappraisal:
    id: UUID
    contested: Contested
    application: Application
    requested_at: datetime
    rules_version: int
    state: State
    stage: Term | None  # until when whoever has it decides
    county: CountyReview | None = None
    city: Judgement | None = None
    decided_at: datetime | None = None
    version: int = 1

    @property
    def level(self) -> Level | None:
        """Who has it."""
        return {State.AT_COUNTY: Level.COUNTY, State.AT_CITY: Level.CITY}.get(self.state)

    @property
    def is_by_silence(self) -> bool:
        last = self.city or self.county
        return last is not None and last.by is None

    @property
    def is_assessable(self) -> bool:
        """Whether the mark counts against the unit."""
        return self.city is None or self.city.is_assessable

    def check_unit(self, unit: str | None) -> None:
        """Raises NotYourReappraisal."""
        if unit is not None and unit != self.contested.unit_code:
            raise NotYourReappraisal("该复核不是本单位申请的")

    def pass_county(self, review: CountyReview, rules: Rules) -> "Reappraisal":
        """县级复核通过: on to the city."""
        stage = _stage(rules, _edition(rules, self.rules_version), Level.CITY, review.at)
        return replace(self._moved(Act.PASS, State.AT_CITY), county=review, stage=stage)

    def fail_county(self, review: CountyReview) -> "Reappraisal":
        """县级复核不通过: the mark stands."""
        return replace(
            self._moved(Act.FAIL, State.FAILED), county=review, stage=None, decided_at=review.at
        )

    def decide(self, given: Judgement) -> "Reappraisal":
        """市级复核. Raises VerdictMissing, SamePerson."""
        passes = any(each.passes for each in given.verdicts.values())
        moved = self._moved(Act.DECIDE, State.PASSED if passes else State.FAILED)
        if set(given.verdicts) != self.application.tracks:
            names = "、".join(TRACK_NAMES[each] for each in sorted(self.application.tracks))
            raise VerdictMissing(f"应就所申请的各项分别给出结论：{names}")
        if not passes and not given.is_assessable:
            raise VerdictMissing("各项均不通过的，评价仍纳入考核")
        if given.by is not None and self.county is not None and self.county.by == given.by:
            raise SamePerson("县级复核和市级复核不得为同一人")
        return replace(moved, city=given, stage=None, decided_at=given.at)

    def withdraw(self, at: datetime) -> "Reappraisal":
        return replace(self._moved(Act.WITHDRAW, State.WITHDRAWN), stage=None, decided_at=at)

    def lapse(self, rules: Rules, at: datetime) -> "Reappraisal":
        """逾期未复核: as the policy says what silence means."""
        own = _edition(rules, self.rules_version).reappraisal
        if self.state is State.AT_COUNTY:
            silent = CountyReview(is_passed=own.county_silence_passes, by=None, at=at)
            return self.pass_county(silent, rules) if silent.is_passed else self.fail_county(silent)
        verdict = Verdict.PASSED if own.city_silence_passes else Verdict.FAILED
        return self.decide(
            Judgement(
                verdicts=dict.fromkeys(self.application.tracks, verdict),
                is_assessable=not verdict.passes,
                is_reasonable=None,
                by=None,
                at=at,
            )
        )

    def redated(self, term: Term) -> "Reappraisal":
        """A new calendar moved the end of the review."""
        return replace(self, stage=term)

    def _moved(self, act: Act, target: State) -> "Reappraisal":
        _check(act, self.state, target)
        return replace(self, state=target, version=self.version + 1)


def request(
    contested: Contested, given: Application, rules: Rules, *, reappraisal_id: UUID, at: datetime
) -> Reappraisal:
    """申请复核: within its days, signed off, on what was marked badly.

    Raises NothingToContest, UnknownGround, NotSignedOff, TooLateToContest.
    """
    edition = _edition(rules)
    own = edition.reappraisal
    own.ground(given.ground)
    if not given.tracks or not given.tracks <= contested.bad:
        names = "、".join(TRACK_NAMES[each] for each in sorted(contested.bad)) or "无"
        raise NothingToContest(f"可以申请复核的差评项：{names}")
    if not given.is_signed_off:
        raise NotSignedOff("申请复核须经分管领导审签")
    window = rules.limits.term(rules.calendar, own.apply, start_at=contested.rated_at)
    if window.has_run_out(at=at):
        raise TooLateToContest(f"已超过申请期限：{own.apply.clause}")
    skips = contested.unit_level in own.without_county
    level = Level.CITY if skips else Level.COUNTY
    target = State.AT_CITY if skips else State.AT_COUNTY
    _check(Act.REQUEST, None, target)
    return Reappraisal(
        id=reappraisal_id,
        contested=contested,
        application=given,
        requested_at=at,
        rules_version=edition.version,
        state=target,
        stage=_stage(rules, edition, level, at),
    )


def _check(act: Act, source: State | None, target: State) -> None:
    if target not in MOVES.get((act, source), frozenset()):
        named = "" if source is None else STATE_NAMES[source]
        raise IllegalReappraisalMove(f"该复核当前为“{named}”，不能如此办理", state=source)


def _stage(rules: Rules, own: CallbackRules, level: Level, at: datetime) -> Term:
    limits = own.reappraisal
    limit = limits.county if level is Level.COUNTY else limits.city
    term = rules.limits.term(rules.calendar, limit, start_at=at)
    return replace(term, policy=own.label, warn_at=None)


def _edition(rules: Rules, version: int | None = None) -> CallbackRules:
    """Those in force, or those that the application was made under."""
    book = rules.callback
    if book is None:
        raise AssertionError("the rules in force have those of callbacks")
    return book.current if version is None else book.editions.get(version, book.current)
