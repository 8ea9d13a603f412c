"""The number on the receipt."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_intake.domain.receipt import LAST_SERIAL, Receipt, SerialsExhausted

ITEM_CODE = "12441500196720244T3442199806003"
RECEIPTS = st.builds(
    Receipt,
    item_code=st.sampled_from([ITEM_CODE, "114401134554137174444TC12049000"]),
    on=st.dates(min_value=date(2004, 1, 1)),
    serial=st.integers(1, LAST_SERIAL),
)


@pytest.mark.parametrize(
    ("serial", "end"),
    [(68, "202206230068"), (1, "202206230001"), (9999, "202206239999"), (10_000, "2022062310000")],
)
def test_the_serial_has_at_least_four_digits(serial: int, end: str) -> None:
    receipt = Receipt(item_code=ITEM_CODE, on=date(2022, 6, 23), serial=serial)

    assert receipt.number == ITEM_CODE + end


@pytest.mark.parametrize("serial", [0, -1, LAST_SERIAL + 1])
def test_a_serial_outside_the_days_range_is_refused(serial: int) -> None:
    with pytest.raises(SerialsExhausted):
        Receipt(item_code=ITEM_CODE, on=date(2022, 6, 23), serial=serial)


@given(RECEIPTS, RECEIPTS)
def test_two_receipts_share_a_number_only_when_they_are_the_same(
    one: Receipt, two: Receipt
) -> None:
    assert (one.number == two.number) == (one == two)
    assert len(one.number) in {43, 44}
