"""`policies/open311.yaml` to the catalogue that the domain works with."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from tongban_common.policies import Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_hotline_dispatch.domain.appeal import AppealType, Channel, Urgency
from tongban_hotline_dispatch.domain.open311 import services as domain
from tongban_hotline_dispatch.domain.open311.filing import NEWS_STATUSES
from tongban_hotline_dispatch.domain.open311.services import DataType, Kind, Shown

# No dots and slashes: a code stands in an address, before .xml or .json.
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Said = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Discovery(_Part):
    contact: str = Field(min_length=1)
    key_service: str = Field(min_length=1)
    type: Literal["production", "test"]
    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+[^/\s]$")] | None
    clause: str = Field(min_length=1)


class _Area(_Part):
    south: Decimal = Field(ge=-90, le=90)
    west: Decimal = Field(ge=-180, le=180)
    north: Decimal = Field(ge=-90, le=90)
    east: Decimal = Field(ge=-180, le=180)
    clause: str = Field(min_length=1)

    @model_validator(mode="after")
    def _is_an_area(self) -> Self:
        words = "south 须小于 north，west 须小于 east"
        Faults.check(
            Fault((name,), words)
            for name, least, most in (
                ("north", self.south, self.north),
                ("east", self.west, self.east),
            )
            if least >= most
        )
        return self


class _Bound(_Part):
    most: int = Field(ge=1, le=1_000_000)
    clause: str = Field(min_length=1)


class _Bounds(_Part):
    description: _Bound
    days: _Bound
    rows: _Bound
    deepest_row: _Bound
    posts_a_minute: _Bound
    body: _Bound


class _Stage(_Part):
    reads: Literal["open", "closed"]
    update: str
    note: Said

    @model_validator(mode="after")
    def _has_a_known_word(self) -> Self:
        if self.update not in NEWS_STATUSES:
            raise Faults([Fault(("update",), f"update 不在允许的取值之内：{self.update}")])
        return self

    def stage(self) -> domain.Stage:
        return domain.Stage(is_closed=self.reads == "closed", update=self.update, note=self.note)


class _Attribute(_Part):
    code: Code
    datatype: DataType
    description: Said
    hint: Said | None = None
    asks: bool = True
    is_required: bool = False
    values: dict[Code, Said] | None = None

    @model_validator(mode="after")
    def _has_values_where_it_needs_them(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        is_list = self.datatype in {DataType.SINGLE, DataType.MULTI}
        if is_list is not bool(self.values):
            words = f"{self.code}：values 只用于、且必须用于 singlevaluelist、multivaluelist"
            yield Fault(("values",), words)
        if self.is_required and not self.asks:
            yield Fault(("is_required",), f"{self.code}：asks 为 false 的不能必填")

    def attribute(self) -> domain.Attribute:
        return domain.Attribute(**self.model_dump())


class _Service(_Part):
    code: Code
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    description: str = Field(min_length=1, max_length=500)
    kind: Kind = Kind.REALTIME
    group: Said
    keywords: list[Annotated[str, StringConstraints(pattern=r"^[^,\s]{1,30}$")]]
    appeal_type: AppealType
    urgency: Urgency = Urgency.NORMAL
    matter_code: str | None = Field(default=None, min_length=1, max_length=64)
    shows: list[Shown]
    needs_place: bool = True
    attributes: list[_Attribute] = []

    @model_validator(mode="after")
    def _asks_each_once(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        codes = [each.code for each in self.attributes]
        for n, code in enumerate(codes):
            if codes.index(code) != n:
                also = ("attributes", codes.index(code), "code")
                words = f"{self.code}：attributes 的 code 有重复"
                yield Fault(("attributes", n, "code"), words, also)
        if self.kind is Kind.BLACKBOX and self.shows:
            yield Fault(("shows",), f"{self.code}：blackbox 不列示，shows 须为空")

    def service(self) -> domain.Service:
        return domain.Service(
            code=self.code,
            name=self.name,
            description=self.description,
            kind=self.kind,
            group=self.group,
            keywords=tuple(self.keywords),
            appeal_type=self.appeal_type,
            urgency=self.urgency,
            matter_code=self.matter_code,
            shows=frozenset(self.shows),
            needs_place=self.needs_place,
            attributes=tuple(each.attribute() for each in self.attributes),
        )


class Open311Policy(Policy):
    discovery: _Discovery
    jurisdictions: list[Code] = Field(min_length=1)
    channel: Channel
    area: _Area
    bounds: _Bounds
    repeat_attributes: list[Code]
    otherwise: _Stage
    statuses: dict[str, _Stage]
    services: list[_Service] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_unambiguous(self) -> Self:
        Faults.check(self._faults())
        return self

    def _faults(self) -> Iterator[Fault]:
        codes = [each.code for each in self.services]
        for n, code in enumerate(codes):
            if codes.index(code) != n:
                also = ("services", codes.index(code), "code")
                yield Fault(("services", n, "code"), f"service code 有重复：{code}", also)
        if self.otherwise.reads != "open":
            yield Fault(("otherwise", "reads"), "otherwise 须为 open：只有明确办结的才是 closed")

    @property
    def changeset(self) -> str:
        """Sorts by when it came into force."""
        return f"{self.effective_from.isoformat()} {self.version:06}"

    def catalogue(self) -> domain.Catalogue:
        bounds = self.bounds
        return domain.Catalogue(
            jurisdictions=tuple(self.jurisdictions),
            services={each.code: each.service() for each in self.services},
            stages={status: each.stage() for status, each in self.statuses.items()},
            otherwise=self.otherwise.stage(),
            channel=self.channel,
            area=domain.Area(**self.area.model_dump(exclude={"clause"})),
            bounds=domain.Bounds(
                **{name: getattr(bounds, name).most for name in type(bounds).model_fields}
            ),
            repeat_attributes=frozenset(self.repeat_attributes),
        )


OPEN311 = PolicyKind("tongban_hotline_dispatch", "open311.yaml", Open311Policy)
