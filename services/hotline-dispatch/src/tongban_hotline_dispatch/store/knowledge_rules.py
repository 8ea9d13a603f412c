"""`policies/knowledge.yaml` to the values that the domain works with."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_hotline_dispatch.domain.duties import DutyKind, DutyRule, KnowledgeRules, Week
from tongban_hotline_dispatch.domain.knowledge import Bounds


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Most(_Part):
    most: int = Field(ge=1, le=100_000)
    clause: str = Field(min_length=1)


class _Bounds(_Part):
    title: _Most
    keyword: _Most
    keywords: _Most
    content: _Most
    category_levels: _Most
    import_rows: _Most


class _Review(_Part):
    limit: LimitRule
    warn_days: _Most


class _Duty(LimitRule):
    met_by: Literal["submitted", "published"]


class _Attestation(_Part):
    weekday: int = Field(ge=1, le=7)
    hour: int = Field(ge=1, le=23)
    everybody: bool
    clause: str = Field(min_length=1)


class _Drafts(_Part):
    category: str = Field(min_length=1)
    clause: str = Field(min_length=1)


class KnowledgePolicy(Policy):
    bounds: _Bounds
    review: _Review
    duties: dict[DutyKind, _Duty]
    attestation: _Attestation
    drafts: _Drafts

    @model_validator(mode="after")
    def _names_every_duty(self) -> Self:
        wanted = set(DutyKind) - {DutyKind.ATTESTATION}
        known = f"duties 应恰有：{'、'.join(sorted(wanted))}"
        Faults.check(
            [
                *(Fault(("duties",), f"缺少{each}，{known}") for each in wanted - set(self.duties)),
                *(Fault(("duties", each), known) for each in set(self.duties) - wanted),
            ]
        )
        return self

    def rules(self) -> KnowledgeRules:
        bounds = self.bounds
        week = self.attestation
        return KnowledgeRules(
            policy=f"{self.name}@{self.version}",
            bounds=Bounds(
                title=bounds.title.most,
                keyword=bounds.keyword.most,
                keywords=bounds.keywords.most,
                content=bounds.content.most,
                category_levels=bounds.category_levels.most,
            ),
            import_rows=bounds.import_rows.most,
            review=self.review.limit.limit(),
            warn_days=self.review.warn_days.most,
            duties={
                kind: DutyRule(limit=each.limit(), met_by=each.met_by)
                for kind, each in self.duties.items()
            },
            week=Week(weekday=week.weekday, hour=week.hour, clause=week.clause),
            everybody_attests=week.everybody,
            draft_category=self.drafts.category,
        )


KNOWLEDGE = PolicyKind("tongban_hotline_dispatch", "knowledge.yaml", KnowledgePolicy)
