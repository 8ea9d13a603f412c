"""What a desk says of a deadline at a glance: red, amber or green, and the time that is left."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


class Light(StrEnum):
    """红黄绿灯."""

    RED = "red"
    AMBER = "amber"
    GREEN = "green"


LIGHT_NAMES: dict[Light, str] = {Light.RED: "超期", Light.AMBER: "临期", Light.GREEN: "期内"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lamp:
    """The light of one deadline; `left` is what remains, or by how much it is over."""

    light: Light
    due_at: datetime
    left: str

    @property
    def name(self) -> str:
        return LIGHT_NAMES[self.light]


def lamp(due_at: datetime, warn_at: datetime | None, at: datetime) -> Lamp:
    """Red once it has run out (the due instant itself is in time), amber from the warn point on."""
    if at > due_at:
        return Lamp(light=Light.RED, due_at=due_at, left=f"已超{_span(at - due_at)}")
    is_near = warn_at is not None and at >= warn_at
    light = Light.AMBER if is_near else Light.GREEN
    return Lamp(light=light, due_at=due_at, left=f"剩{_span(due_at - at)}")


def warn_point(start_at: datetime, due_at: datetime, share: Decimal) -> datetime:
    """When a stage that has none of its own turns amber."""
    numerator, denominator = share.as_integer_ratio()
    return start_at + (due_at - start_at) * numerator // denominator


def _span(length: timedelta) -> str:
    """The two largest units at most, cut off: 3天4小时, 50分钟."""
    length += timedelta(microseconds=1)  # the last instant of a day stands for its end
    if length >= 10 * _DAY:
        return f"{length // _DAY}天"
    if length >= _DAY:
        hours = length % _DAY // _HOUR
        return f"{length // _DAY}天{hours}小时" if hours else f"{length // _DAY}天"
    if length >= _HOUR:
        minutes = length % _HOUR // _MINUTE
        return f"{length // _HOUR}小时{minutes}分" if minutes else f"{length // _HOUR}小时"
    return f"{length // _MINUTE}分钟"
