"""Who brings an appeal, and what it says besides its words, as every way in sends it."""

from pydantic import AwareDatetime, Field, model_validator

from tongban_common.bodies import Body
from tongban_hotline_dispatch.domain.elements import Details
from tongban_hotline_dispatch.domain.importing import PHONE
from tongban_hotline_dispatch.domain.particulars import ComplainantKind, Coordinates, Flag


class PersonRequest(Body):
    """诉求人. Stored under seal and shown masked."""

    name: str | None = Field(default=None, max_length=100)
    phone: str | None = Field(default=None, pattern=PHONE)
    address: str | None = Field(default=None, max_length=300)


class ParticularsRequest(Body):
    target_name: str | None = Field(
        default=None, min_length=1, max_length=200, description="被反映对象；投诉、举报须填写"
    )
    occurred_at: AwareDatetime | None = Field(default=None, description="发生时间")
    demand: str | None = Field(default=None, min_length=1, max_length=2000, description="诉求目的")
    complainant_kind: ComplainantKind | None = Field(default=None, description="诉求人类别")
    enterprise_name: str | None = Field(
        default=None, min_length=1, max_length=200, description="企业、单位名称"
    )
    call_id: str | None = Field(
        default=None, min_length=1, max_length=64, description="话务系统的通话编号"
    )
    recording_ref: str | None = Field(
        default=None, min_length=1, max_length=200, description="录音在话务系统中的引用"
    )
    region_code: str | None = Field(
        default=None, pattern=r"^[0-9]{6,12}$", description="事发地行政区划代码"
    )
    lng: float | None = Field(default=None, ge=-180, le=180, description="经度（WGS84）")
    lat: float | None = Field(default=None, ge=-90, le=90, description="纬度（WGS84）")
    flags: list[Flag] = Field(default=[], max_length=len(Flag), description="涉企、媒体等标记")

    @model_validator(mode="after")
    def _both_or_none(self) -> "ParticularsRequest":
        if (self.lng is None) is not (self.lat is None):
            raise ValueError("经度、纬度须同时给出")
        return self

    def details(self) -> Details:
        placed = self.lng is not None and self.lat is not None
        return Details(
            target_name=self.target_name,
            occurred_at=self.occurred_at,
            demand=self.demand,
            complainant_kind=self.complainant_kind,
            enterprise_name=self.enterprise_name,
            call_id=self.call_id,
            recording_ref=self.recording_ref,
            region_code=self.region_code,
            place=Coordinates.of(self.lng or 0, self.lat or 0) if placed else None,
            flags=frozenset(self.flags),
        )
