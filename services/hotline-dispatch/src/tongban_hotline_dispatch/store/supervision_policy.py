"""The rule data of supervision: `policies/supervision.yaml` to the value that the domain uses."""

from collections.abc import Container, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults, Path
from tongban_hotline_dispatch.domain.supervision_rules import (
    LONG_OVERDUE,
    MANY_COMPLAINANTS,
    Anchor,
    Colour,
    Form,
    Kind,
    Level,
    LevelRule,
    Pattern,
    Reason,
    Rung,
    Signal,
    SupervisionRules,
    Template,
    places_of,
)


def _with_known_places(body: str) -> str:
    list(places_of(body))
    return body


_Text = Annotated[str, Field(min_length=1)]
_Days = Annotated[int, Field(ge=0, le=365)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Level(_Part):
    name: _Text
    kind: Kind
    audience: list[str] = Field(min_length=1)
    template: str
    clause: _Text
    card: Colour | None = None
    needs_reply: bool = False
    flags_ticket: bool = False
    is_published: bool = False

    def rule(self, level: Level) -> LevelRule:
        fields = self.model_dump(exclude={"audience"})
        return LevelRule(level=level, audience=tuple(self.audience), **fields)


class _Rung(_Part):
    code: str = Field(pattern=r"^[a-z_]{1,40}$")
    name: _Text
    clause: _Text
    template: str | None = None
    audience: list[str] | None = Field(default=None, min_length=1)  # absent: of its level


class _Reminder(_Rung):
    share: Decimal | None = Field(default=None, gt=0, lt=1)
    days_before: int | None = Field(default=None, ge=1, le=60)

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if (self.share is None) is (self.days_before is None):
            raise ValueError(f"{self.code} 应有 share 或者 days_before 之一")
        return self


class _Overdue(_Rung):
    level: Level
    days_after: _Days | None = None
    morning_of: int | None = Field(default=None, ge=1, le=60)
    adds_to: str | None = None
    unless_answered: Level | None = None

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if (self.days_after is None) is (self.morning_of is None):
            raise ValueError(f"{self.code} 应有 days_after 或者 morning_of 之一")
        return self


class _HardCase(_Rung):
    level: Level
    days_after: _Days


class _Pattern(_Part):
    code: str = Field(pattern=r"^[a-z_]{1,40}$")
    name: _Text
    level: Level
    signal: Signal
    at_least: int = Field(ge=1, le=1000)
    months: int = Field(ge=1, le=60)
    clause: _Text


class _Reason(_Part):
    name: _Text
    clause: _Text

    def reason(self) -> Reason:
        return Reason(name=self.name, clause=self.clause)


class _LateEscalation(_Reason):
    days_after: _Days


class _Escalations(_Part):
    overdue: _LateEscalation
    complainants: _Reason


class _Inspections(_Part):
    audience: list[str] = Field(min_length=1)
    template: str
    forms: dict[Form, _Reason]

    @model_validator(mode="after")
    def _has_every_form(self) -> Self:
        missing = [form for form in Form if form not in self.forms]
        if missing:
            raise Faults([Fault(("forms",), f"缺少这些督查方式：{'、'.join(missing)}")])
        return self


class _Flagged(_Part):
    name: _Text
    level: Level
    clause: _Text


class _OfKnowledge(_Part):
    cause: _Text
    level: Level
    clause: _Text


class _Fallback(_Part):
    audience: _Text
    clause: _Text


class _Round(_Part):
    hour: int = Field(ge=0, le=23)
    clause: _Text


class _Template(_Part):
    version: int = Field(ge=1, le=100_000)
    title: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_with_known_places)]
    body: Annotated[str, Field(min_length=1), AfterValidator(_with_known_places)]


class SupervisionPolicy(Policy):
    audiences: dict[str, _Text] = Field(min_length=1)
    fallback: _Fallback | None = None  # absent: who is not in post is not told
    levels: dict[Level, _Level]
    reminders: list[_Reminder]
    overdue: list[_Overdue] = Field(min_length=1)
    hard_cases: list[_HardCase]
    patterns: list[_Pattern]
    flagged: _Flagged
    knowledge: _OfKnowledge
    escalations: _Escalations
    reply: LimitRule
    contest: LimitRule
    causes: dict[str, _Reason] = Field(min_length=1)
    inspections: _Inspections
    grounds: dict[str, _Reason] = Field(min_length=1)
    waivers: dict[str, _Reason] = Field(min_length=1)
    round: _Round
    templates: dict[str, _Template]

    @model_validator(mode="after")
    def _knows_what_it_names_and_can_be_climbed(self) -> Self:
        Faults.check([*self._unknown(), *self._ladder_faults()])
        return self

    def _unknown(self) -> Iterator[Fault]:
        for missing in (level for level in Level if level not in self.levels):
            yield Fault(("levels",), f"缺少这些督办层级：{missing}")
        templates: dict[Path, str | None] = {
            ("inspections", "template"): self.inspections.template,
            **{("levels", level, "template"): each.template for level, each in self.levels.items()},
            **{(*at, "template"): each.template for at, each in self._steps()},
        }
        yield from _unlisted(templates, self.templates, "通知模板")
        audiences: dict[Path, str | None] = {
            ("levels", level, "audience", n): name
            for level, each in self.levels.items()
            for n, name in enumerate(each.audience)
        }
        for n, name in enumerate(self.inspections.audience):
            audiences["inspections", "audience", n] = name
        for at, rung in self._steps():
            for n, name in enumerate(rung.audience or ()):
                audiences[(*at, "audience", n)] = name
        if self.fallback is not None:
            audiences["fallback", "audience"] = self.fallback.audience
        yield from _unlisted(audiences, self.audiences, "通知对象")
        yield from _unlisted(
            {("knowledge", "cause"): self.knowledge.cause}, self.causes, "督办事由"
        )

    def _ladder_faults(self) -> Iterator[Fault]:
        coded: list[tuple[Path, _Rung | _Pattern]] = [
            *self._steps(),
            *((("patterns", n), each) for n, each in enumerate(self.patterns)),
        ]
        first: dict[str, Path] = {}
        for at, each in coded:
            before = first.setdefault(each.code, (*at, "code"))
            if before != (*at, "code"):
                yield Fault((*at, "code"), f"编码重复：{each.code}", also=before)
        added: dict[Path, str | None] = {
            ("overdue", n, "adds_to"): each.adds_to for n, each in enumerate(self.overdue)
        }
        yield from _unlisted(added, _codes(self.overdue), "催办")
        alone: list[tuple[Path, Level]] = [
            *((("overdue", n), each.level) for n, each in enumerate(self.overdue)),
            *((("hard_cases", n), each.level) for n, each in enumerate(self.hard_cases)),
            *((("patterns", n), each.level) for n, each in enumerate(self.patterns)),
            (("flagged",), self.flagged.level),
            (("knowledge",), self.knowledge.level),
        ]
        for at, level in alone:
            if level is Level.S5:
                yield Fault((*at, "level"), "问责线索只能由人提出，不得自动产生")

    def _steps(self) -> list[tuple[Path, _Rung]]:
        return [
            *((("reminders", n), each) for n, each in enumerate(self.reminders)),
            *((("overdue", n), each) for n, each in enumerate(self.overdue)),
            *((("hard_cases", n), each) for n, each in enumerate(self.hard_cases)),
        ]

    @cached_property
    def rules(self) -> SupervisionRules:
        return SupervisionRules(
            label=f"{self.name}@{self.version}",
            version=self.version,
            levels={level: given.rule(level) for level, given in self.levels.items()},
            rungs=tuple(self._rungs()),
            patterns=tuple(Pattern(**each.model_dump()) for each in self.patterns),
            flagged=self.flagged.level,
            flagged_reason=Reason(name=self.flagged.name, clause=self.flagged.clause),
            knowledge_cause=self.knowledge.cause,
            knowledge_level=self.knowledge.level,
            hard_after_days=self.escalations.overdue.days_after,
            hard_cases={
                LONG_OVERDUE: self.escalations.overdue.reason(),
                MANY_COMPLAINANTS: self.escalations.complainants.reason(),
            },
            reply_limit=self.reply.limit(),
            contest_limit=self.contest.limit(),
            causes=_reasons(self.causes),
            forms={form: given.reason() for form, given in self.inspections.forms.items()},
            grounds=_reasons(self.grounds),
            waivers=_reasons(self.waivers),
            audiences=dict(self.audiences),
            fallback_audience=self.fallback.audience if self.fallback else None,
            templates={
                code: Template(code=code, **given.model_dump())
                for code, given in self.templates.items()
            },
            form_template=self.inspections.template,
            form_audience=tuple(self.inspections.audience),
            round_hour=self.round.hour,
        )

    def _rungs(self) -> list[Rung]:
        reminders = [
            self._rung(each, Level.U0, Anchor.REMINDER, skips_elapsed=each.days_before is not None)
            for each in self.reminders
        ]
        overdue = [self._rung(each, each.level, Anchor.OVERDUE) for each in self.overdue]
        hard = [self._rung(each, each.level, Anchor.HARD_CASE) for each in self.hard_cases]
        return [*reminders, *overdue, *hard]

    def _rung(
        self, given: _Rung, level: Level, anchor: Anchor, *, skips_elapsed: bool = False
    ) -> Rung:
        fields = given.model_dump(exclude={"level", "template", "audience"})
        return Rung(
            level=level,
            anchor=anchor,
            template=given.template or self.levels[level].template,
            audience=tuple(given.audience or self.levels[level].audience),
            skips_elapsed=skips_elapsed,
            **fields,
        )


def _reasons(given: dict[str, _Reason]) -> dict[str, Reason]:
    return {code: each.reason() for code, each in given.items()}


def _codes(rungs: list[_Overdue]) -> set[str]:
    return {each.code for each in rungs}


def _unlisted(
    named: Mapping[Path, str | None], listed: Container[str], what: str
) -> Iterator[Fault]:
    for at, name in named.items():
        if name is not None and name not in listed:
            yield Fault(at, f"没有这些{what}：{name}")


SUPERVISION = PolicyKind("tongban_hotline_dispatch", "supervision.yaml", SupervisionPolicy)
