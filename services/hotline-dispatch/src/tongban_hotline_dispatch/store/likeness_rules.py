"""The rule data of likeness: `policies/likeness.yaml` to the value that the domain works with."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_common.working_days import Unit
from tongban_hotline_dispatch.domain.hot_issues import GroupingRules, HeatRules
from tongban_hotline_dispatch.domain.likeness import Wording
from tongban_hotline_dispatch.domain.repeats import LikenessRules, Reason


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Clause(_Part):
    clause: str = Field(min_length=1)


class _Least(_Clause):
    least: Decimal = Field(gt=0, le=1)


class _Most(_Clause):
    most: int = Field(ge=1, le=50)


class _Value(_Clause):
    value: int = Field(ge=1, le=5000)


class _Weight(_Clause):
    weight: Decimal = Field(ge=0, le=1000)


class _Days(LimitRule):
    @field_validator("unit")
    @classmethod
    def _is_natural(cls, unit: Unit) -> Unit:
        if unit is not Unit.NATURAL_DAYS:
            raise ValueError("应按自然日计")
        return unit

    @property
    def span(self) -> timedelta:
        return timedelta(days=self.amount)


class _Duplicates(_Part):
    window: _Days
    near_text: _Least
    same_matter: _Least
    shown: _Most


class _Repeats(_Part):
    reopened_within: _Days


class _Merging(_Part):
    alike: _Least


class _Heat(_Part):
    per_ticket: _Weight
    per_person: _Weight
    per_root_of_votes: _Weight
    per_growth: _Weight


class _Raised(_Clause):
    heat: int = Field(ge=1, le=1_000_000)


class _Round(LimitRule):
    @field_validator("unit")
    @classmethod
    def _is_elapsed(cls, unit: Unit) -> Unit:
        if not unit.is_elapsed:
            raise ValueError("应按小时或者分钟计")
        return unit


class _HotIssues(_Part):
    window: _Days
    link: _Days
    join: _Least
    unite: _Least
    heat: _Heat
    raised: _Raised
    round: _Round


class _HardCase(_Part):
    complainants: int = Field(ge=2, le=1000)
    within: _Days


class _Reason(_Clause):
    name: str = Field(min_length=1)


class _Band(_Part):
    share: Decimal = Field(gt=0, le=1)
    words: str = Field(min_length=1)


class _Wording(_Clause):
    title_weight: _Value
    content_length: _Value
    words: _Value
    telling: _Value
    newest: _Value
    searched: _Value
    compared: _Value
    rare_share: _Least
    common_words: list[_Band]

    @model_validator(mode="after")
    def _names_each_word_once(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        first: dict[str, int] = {}
        for n, band in enumerate(self.common_words):
            for word, count in Counter(band.words.split()).items():
                if count > 1 or word in first:
                    also = ("common_words", first.get(word, n), "words")
                    words = f"这些常用词列了不止一次：{word}"
                    yield Fault(("common_words", n, "words"), words, also)
                first.setdefault(word, n)

    def wording(self) -> Wording:
        return Wording(
            shares={
                word: float(band.share) for band in self.common_words for word in band.words.split()
            },
            rare_share=float(self.rare_share.least),
            title_weight=self.title_weight.value,
            content_length=self.content_length.value,
            words=self.words.value,
            telling=self.telling.value,
        )


class LikenessPolicy(Policy):
    duplicates: _Duplicates
    repeats: _Repeats
    merging: _Merging
    hot_issues: _HotIssues
    hard_case: _HardCase
    evidence_reasons: dict[str, _Reason] = Field(min_length=1)
    wording: _Wording

    @cached_property
    def rules(self) -> LikenessRules:
        hot, seen = self.hot_issues, self.duplicates
        return LikenessRules(
            wording=self.wording.wording(),
            newest=self.wording.newest.value,
            searched=self.wording.searched.value,
            compared=self.wording.compared.value,
            window=seen.window.span,
            shown=seen.shown.most,
            near_text=float(seen.near_text.least),
            same_matter=float(seen.same_matter.least),
            clauses={
                Reason.SAME_PERSON: seen.same_matter.clause,
                Reason.SAME_PLACE: seen.same_matter.clause,
                Reason.NEAR_TEXT: seen.near_text.clause,
            },
            reopened_within=self.repeats.reopened_within.limit(),
            alike=float(self.merging.alike.least),
            link=hot.link.span,
            grouping=GroupingRules(join=float(hot.join.least), unite=float(hot.unite.least)),
            heat=self._heat(),
            round=hot.round.limit(),
            complainants=self.hard_case.complainants,
            complainants_within=self.hard_case.within.span,
            complainants_clause=self.hard_case.within.clause,
            evidence_reasons={code: each.name for code, each in self.evidence_reasons.items()},
        )

    def _heat(self) -> HeatRules:
        hot = self.hot_issues
        weights = {name: getattr(hot.heat, name).weight for name in type(hot.heat).model_fields}
        return HeatRules(window_days=hot.window.amount, raised_from=hot.raised.heat, **weights)


LIKENESS = PolicyKind("tongban_hotline_dispatch", "likeness.yaml", LikenessPolicy)
