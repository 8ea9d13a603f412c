"""What a city offers through Open311: its services, the questions of each, and how tickets read.

The words are the standard's: a service is a kind of matter, its attributes are what it asks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tongban_common.errors import BadInput, Forbidden, NotFound, TooBusy
from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.appeal import AppealType, Channel, Urgency

_UNIT_NAMES = {Unit.WORKING_DAYS: "个工作日", Unit.NATURAL_DAYS: "日", Unit.HOURS: "小时"}


class BadRequest(BadInput):
    """Every fault at once. None repeats what a field held: it may be a name or a number."""

    code = "open311.bad_request"

    def __init__(self, *faults: str) -> None:
        super().__init__("；".join(faults), faults=list(faults))


class UnknownService(NotFound):
    code = "open311.unknown_service"


class UnknownJurisdiction(NotFound):
    code = "open311.unknown_jurisdiction"


class BadKey(Forbidden):
    code = "open311.bad_key"


class TooOften(TooBusy):
    code = "open311.too_often"


class Kind(StrEnum):
    REALTIME = "realtime"  # answered with the id of the request
    BATCH = "batch"  # answered with a token, which leads to the id
    BLACKBOX = "blackbox"  # answered with neither, and never listed


class DataType(StrEnum):
    STRING = "string"
    NUMBER = "number"
    DATETIME = "datetime"
    TEXT = "text"
    SINGLE = "singlevaluelist"
    MULTI = "multivaluelist"


class Shown(StrEnum):
    """What of a request everybody may read; what is not named is withheld."""

    DESCRIPTION = "description"
    ADDRESS = "address"
    LOCATION = "location"
    MEDIA = "media"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    code: str
    datatype: DataType
    description: str
    hint: str | None = None
    asks: bool = True  # False: it only tells something
    is_required: bool = False
    values: Mapping[str, str] | None = None  # key → name, of the two lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    code: str
    name: str
    description: str
    kind: Kind
    group: str
    keywords: Sequence[str]
    appeal_type: AppealType
    urgency: Urgency
    matter_code: str | None
    shows: frozenset[Shown]
    needs_place: bool
    attributes: Sequence[Attribute] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What the city covers (WGS84)."""

    south: Decimal
    west: Decimal
    north: Decimal
    east: Decimal

    def holds(self, lat: Decimal, long: Decimal) -> bool:
        return self.south <= lat <= self.north and self.west <= long <= self.east


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How a ticket's status reads outside: the standard itself knows open and closed only."""

    is_closed: bool
    update: str  # as servicerequestupdates says it
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is taken and given at once."""

    description: int  # characters
    days: int  # of one query
    rows: int  # of one page
    deepest_row: int  # that a page may reach
    posts_a_minute: int  # of one client
    body: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """A city's policy for Open311, as in force on one day."""

    jurisdictions: Sequence[str]
    services: Mapping[str, Service]
    stages: Mapping[str, Stage]  # by the ticket's status
    otherwise: Stage
    channel: Channel
    area: Area
    bounds: Bounds
    repeat_attributes: frozenset[str]  # what a client knows its own request by, and sends again

    def service(self, code: str) -> Service:
        """Raises UnknownService."""
        found = self.services.get(code)
        if found is None:
            raise UnknownService("没有这个 service_code")
        return found

    def stage(self, status: str) -> Stage:
        return self.stages.get(status, self.otherwise)

    @property
    def closed_statuses(self) -> list[str]:
        """The tickets' statuses that read as closed; every other one reads as open."""
        return [status for status, stage in self.stages.items() if stage.is_closed]

    def jurisdiction(self, given: str | None) -> str:
        """Raises BadRequest where one must be named, UnknownJurisdiction for another city's."""
        if given is None:
            if len(self.jurisdictions) > 1:
                raise BadRequest("缺少 jurisdiction_id：本接口服务多个辖区")
            return self.jurisdictions[0]
        if given not in self.jurisdictions:
            raise UnknownJurisdiction("没有这个 jurisdiction_id")
        return given

    def showing(self, what: Shown) -> list[str]:
        """The services of which everybody may read this."""
        return [code for code, each in self.services.items() if what in each.shows]


def notice(limit: Limit) -> str:
    """service_notice: by when the citizen is answered, and on what clause."""
    return f"自受理之日起{limit.amount}{_UNIT_NAMES[limit.unit]}内答复（{limit.clause}）"
