"""What besides its five elements is noted of an appeal (hotline.md 2.3): for whom somebody speaks,
which call it was, where exactly it is, and what marks it for supervision."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum


class ComplainantKind(StrEnum):
    PERSON = "person"
    LEGAL_PERSON = "legal_person"
    OTHER = "other"


KIND_NAMES: Mapping[ComplainantKind, str] = {
    ComplainantKind.PERSON: "个人",
    ComplainantKind.LEGAL_PERSON: "企业、单位",
    ComplainantKind.OTHER: "其他组织",
}


class Flag(StrEnum):
    """What drives supervision: media and leaders' batches are grounds of it (hotline.md 4.1)."""

    ENTERPRISE = "enterprise"
    MEDIA = "media"
    MASS_EVENT = "mass_event"
    LEADER_BATCH = "leader_batch"


FLAG_NAMES: Mapping[Flag, str] = {
    Flag.ENTERPRISE: "涉企",
    Flag.MEDIA: "媒体曝光",
    Flag.MASS_EVENT: "群体性事件",
    Flag.LEADER_BATCH: "领导批示件",
}
_PRECISE = Decimal("0.000001")  # less than a step
_COARSE = Decimal("0.01")  # about a kilometre


@dataclass(frozen=True, slots=True)
class Coordinates:
    """WGS84. As precise as an address, and kept like one."""

    lng: Decimal
    lat: Decimal

    @classmethod
    def of(cls, lng: Decimal | float | str, lat: Decimal | float | str) -> "Coordinates":
        """Raises ValueError."""
        try:
            x, y = Decimal(str(lng)), Decimal(str(lat))
        except InvalidOperation:
            raise ValueError("经度、纬度应为数字") from None
        if not (x.is_finite() and y.is_finite() and abs(x) <= 180 and abs(y) <= 90):
            raise ValueError("经度应在-180至180之间，纬度应在-90至90之间")
        return cls(x.quantize(_PRECISE), y.quantize(_PRECISE))

    @classmethod
    def read(cls, lng: str, lat: str) -> "Coordinates | None":
        """As typed, both or none. Raises ValueError."""
        if not lng and not lat:
            return None
        if not lng or not lat:
            raise ValueError("经度、纬度须同时给出")
        return cls.of(lng, lat)

    def coarse(self) -> "Coordinates":
        return Coordinates(self.lng.quantize(_COARSE), self.lat.quantize(_COARSE))

    def __str__(self) -> str:
        return f"{self.lng},{self.lat}"
