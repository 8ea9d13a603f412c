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
        ("1 3 8 1 2 3 4 5 6 7 8", "1 3 8 * * * * 5 6 7 8"),
        ("138-12345678", "138-****5678"),
        ("1381 2345 678", "138* ***5 678"),
        ("138　1234　5678", "138　****　5678"),
        ("138\u200b1234\u200b5678", "138\u200b****\u200b5678"),
        ("138—1234—5678", "138—****—5678"),
        ("138.1234.5678", "138.****.5678"),
        ("\uff0b" + wide("8613812345678"), "\uff0b" + wide("86138****5678")),
        ("幺三八一二三四五六七八", "幺三八****五六七八"),
        ("一三八12345678", "一三八****5678"),
        (
            "\u0661\u0663\u0668\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
            "\u0661\u0663\u0668****\u0665\u0666\u0667\u0668",
        ),
        ("身份证110101 19900307 0011", "身份证110101 ******** ***1"),
        ("110101-1990-0307-001X", "110101-****-****-***X"),
        ("11010119900307002\uff38", "110101***********\uff38"),
        (wide("110101199003070011"), wide("110101") + "*" * 11 + wide("1")),
        ("老身份证110101900307001", "老身份证110101********1"),
        ("110101 900307 001", "110101 ****** **1"),
        ("（0851）3322 1122", "（085*）**** 1122"),
        ("0851——33221122", "085*——****1122"),
        ("0851 332 1122", "085* *** 1122"),
        ("+86 851 33221122", "+86 851 ****1122"),
        ("家里电话：3322112", "家里电话：***2112"),
        ("座机是3322 1122", "座机是**** 1122"),
        ("工单2509121011081154091", "工单2509121011081154091"),
        ("工单260921100200000001", "工单260921100200000001"),
        ("合同3322112号", "合同3322112号"),
        ("GB50016-2014、JGJ125-2016", "GB50016-2014、JGJ125-2016"),
        ("2014.04.23至2015.05.06", "2014.04.23至2015.05.06"),
        ("工资1030-1390元，2019—2021年", "工资1030-1390元，2019—2021年"),
        ("面积5024662平方米", "面积5024662平方米"),
        ("二〇二六年十一月二十三日", "二〇二六年十一月二十三日"),
        ("8f14e45f-1381-4345-9678-901234567890", "8f14e45f-1381-4345-9678-901234567890"),
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


@given(data=st.data(), number=st.one_of(MOBILES, IDENTITIES))
def test_no_number_survives_whatever_is_put_between_its_digits(
    data: st.DataObject, number: str
) -> None:
    gap = st.text(alphabet=" -—　\u200b", max_size=2)
    written = "".join(sign + data.draw(gap) for sign in number[:-1]) + number[-1]

    masked = mask_text(f"电话{written}。")

    assert sum(sign.isdigit() or sign in "Xx" for sign in masked) == 7
    assert mask_text(masked) == masked


@given(text=st.text(max_size=200))
def test_no_text_breaks_it_and_what_is_masked_stays_as_long(text: str) -> None:
    assert len(mask_text(text)) == len(text)


@given(number=st.one_of(MOBILES, IDENTITIES))
def test_a_log_line_keeps_no_digit_of_a_number(number: str) -> None:
    assert mask_text(f"电话{number}", whole=True) == "电话" + "*" * len(number)
