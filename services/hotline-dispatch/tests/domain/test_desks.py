from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.desks import Light, lamp, warn_point

DUE = datetime(2026, 9, 21, 23, 59, 59, 999999, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("before", "left"),
    [
        (timedelta(minutes=59), "剩59分钟"),
        (timedelta(hours=1), "剩1小时"),
        (timedelta(hours=5, minutes=7), "剩5小时7分"),
        (timedelta(days=1), "剩1天"),
        (timedelta(days=3, hours=4, minutes=5), "剩3天4小时"),
        (timedelta(days=12, hours=4), "剩12天"),
        (timedelta(0), "剩0分钟"),
        (timedelta(minutes=-30), "已超30分钟"),
        (timedelta(days=-2, hours=-3), "已超2天3小时"),
    ],
)
def test_what_is_left_is_told_in_its_two_largest_units(before: timedelta, left: str) -> None:
    assert lamp(DUE, None, DUE - before).left == left


def test_a_lamp_is_amber_from_the_warn_point_and_red_only_after_the_due_instant() -> None:
    warn_at = DUE - timedelta(hours=8)

    lights = [
        lamp(DUE, warn_at, at).light
        for at in (
            warn_at - timedelta(microseconds=1),
            warn_at,
            DUE,
            DUE + timedelta(microseconds=1),
        )
    ]

    assert lights == [Light.GREEN, Light.AMBER, Light.AMBER, Light.RED]
    assert lamp(DUE, warn_at, DUE).name == "临期"


def test_a_stage_without_a_warn_point_has_one_at_a_share_of_its_limit() -> None:
    start = DUE - timedelta(minutes=30)

    assert warn_point(start, DUE, Decimal("0.5")) == DUE - timedelta(minutes=15)
