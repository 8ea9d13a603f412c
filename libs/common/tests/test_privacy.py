import pytest
from hypothesis import given
from hypothesis import strategies as st

from tongban_common.privacy import mask_text

MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
IDENTITIES = st.from_regex(
    r"[1-9][0-9]{5}(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]",
    fullmatch=True,
)
AROUND = st.text(alphabet="，。电话是王先生 \n（）:", max_size=8)


def wide(digits: str) -> str:
    """As a Chinese input method writes digits at full width."""
    return digits.translate({ord(each): ord(each) + 0xFEE0 for each in "0123456789"})


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("身份证110101199003070011。", "身份证110101***********1。"),
        ("身份证11010119900307002x", "身份证110101***********x"),
        ("电话13812345678", "电话138****5678"),
        ("+8613987650001", "+86139****0001"),
        ("139 8765 0001", "139 **** 0001"),
        ("139-8765-0001", "139-****-0001"),
        (wide("13987650001"), wide("139****0001")),
        ("(0531)88886666", "(053*)****6666"),
        ("0531-88886666", "053*-****6666"),
        ("工单2509121011081154091", "工单2509121011081154091"),
        ("trace a13812345678f", "trace a13812345678f"),
        ("2026-11-23 10:00", "2026-11-23 10:00"),
    ],
)
def test_numbers_in_free_text_are_masked_however_they_are_written(written: str, shown: str) -> None:
    assert mask_text(written) == shown


@given(before=AROUND, number=st.one_of(MOBILES, IDENTITIES), after=AROUND)
def test_no_number_survives_between_words(before: str, number: str, after: str) -> None:
    masked = mask_text(f"{before}{number}{after}")

    assert number not in masked
    assert len(masked) == len(before + number + after)


@given(number=st.one_of(MOBILES, IDENTITIES))
def test_a_log_line_keeps_no_digit_of_a_number(number: str) -> None:
    assert mask_text(f"电话{number}", whole=True) == "电话" + "*" * len(number)
