"""The rule data of evaluation: documents of `policies/`, and the domain's values made of them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.calendars import Calendars
from tongban_common.policies import Policy, PolicyKind, PolicyShelf
from tongban_common.service import Kit
from tongban_common.working_days import Limit, Unit
from tongban_evaluation.domain.deadlines import Limits
from tongban_evaluation.domain.rectification import Rules
from tongban_evaluation.domain.tags import Level, Retired, Scale, Tag


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DaysRule(_Part):
    """A limit in days: hours would make no sense of "the day on which it is used up"."""

    amount: int = Field(ge=1)
    unit: Unit
    clause: str = Field(min_length=1)

    @model_validator(mode="after")
    def _is_in_days(self) -> Self:
        if self.unit.is_elapsed:
            raise ValueError("评价时限应以日计")
        return self

    @property
    def limit(self) -> Limit:
        return Limit(amount=self.amount, unit=self.unit, clause=self.clause)


class ReviewWindows(_Part):
    onsite: DaysRule
    online: DaysRule


class RectifyRules(_Part):
    simple: DaysRule
    complex: DaysRule
    again: DaysRule


class WarningRule(_Part):
    share: Decimal = Field(gt=0, le=1)
    clause: str = Field(min_length=1)


class DeadlinesPolicy(Policy):
    review: ReviewWindows
    verify: DaysRule
    rectify: RectifyRules
    callback: DaysRule
    warn_after: WarningRule

    def limits(self) -> Limits:
        return Limits(
            version=self.version,
            review_onsite=self.review.onsite.limit,
            review_online=self.review.online.limit,
            verify=self.verify.limit,
            rectify_simple=self.rectify.simple.limit,
            rectify_complex=self.rectify.complex.limit,
            rectify_again=self.rectify.again.limit,
            callback=self.callback.limit,
            warn_after=self.warn_after.share,
        )


class LevelRule(_Part):
    level: int = Field(ge=1, le=5)
    name: str = Field(min_length=1)
    is_bad: bool
    needs_reason: bool


class CommentRule(_Part):
    most: int = Field(ge=1)
    clause: str = Field(min_length=1)


class TagRule(_Part):
    code: str = Field(pattern=r"^[1-9][0-9]{2,5}$")
    name: str = Field(min_length=1)
    level: int = Field(ge=1, le=5)
    is_basic: bool
    valid_from: date
    valid_to: date | None = None


class RetiredRule(_Part):
    first: int
    last: int


class TagsPolicy(Policy):
    levels: tuple[LevelRule, ...]
    comment: CommentRule
    tags: tuple[TagRule, ...]
    retired: tuple[RetiredRule, ...]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if sorted(rule.level for rule in self.levels) != [1, 2, 3, 4, 5]:
            raise ValueError("评价等级应为一至五级，各一条")
        if len({rule.code for rule in self.tags}) != len(self.tags):
            raise ValueError("评价标签编码重复")
        if any(int(rule.code[0]) != rule.level for rule in self.tags):
            raise ValueError("评价标签编码的首位应为其等级")
        return self

    def scale(self) -> Scale:
        return Scale(
            version=self.version,
            levels={
                rule.level: Level(
                    number=rule.level,
                    name=rule.name,
                    is_bad=rule.is_bad,
                    needs_reason=rule.needs_reason,
                )
                for rule in self.levels
            },
            tags={rule.code: Tag(**rule.model_dump()) for rule in self.tags},
            retired=tuple(Retired(first=rule.first, last=rule.last) for rule in self.retired),
            comment_max=self.comment.most,
        )


DEADLINES = PolicyKind("tongban_evaluation", "deadlines.yaml", DeadlinesPolicy)
TAGS = PolicyKind("tongban_evaluation", "tags.yaml", TagsPolicy)
POLICIES: tuple[PolicyKind[Policy], ...] = (DEADLINES, TAGS)  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Rules and scale by date or by pinned version, with the calendar in force."""

    deadlines: PolicyShelf[DeadlinesPolicy]
    tags: PolicyShelf[TagsPolicy]
    calendars: Calendars

    async def on(self, day: date) -> Rules:
        """Raises NoPolicy."""
        policy = await self.deadlines.at(day)
        return Rules(limits=policy.limits(), calendar=await self.calendars.current())

    async def pinned(self, limits_version: int) -> Rules:
        """Raises NoPolicy."""
        policy = await self.deadlines.version(limits_version)
        return Rules(limits=policy.limits(), calendar=await self.calendars.current())

    async def scale_on(self, day: date) -> Scale:
        """Raises NoPolicy."""
        return (await self.tags.at(day)).scale()

    async def scale(self, version: int) -> Scale:
        """Raises NoPolicy."""
        return (await self.tags.version(version)).scale()


def rule_book(kit: Kit) -> RuleBook:
    return RuleBook(kit.policy(DEADLINES), kit.policy(TAGS), kit.calendars)
