import pytest

from tongban_common.policies import BadPolicy, access_of, packaged_text
from tongban_publishing.store.policies import PUBLICATION


def test_every_value_of_the_policy_names_its_source() -> None:
    rules = PUBLICATION.packaged()

    assert rules.quarter_bulletin.amount == 10
    for part in (rules.publisher, rules.quarter_bulletin, rules.warn_after, rules.four_eyes):
        assert part.clause


@pytest.mark.parametrize(
    ("right", "wrong", "fault"),
    [
        ("amount: 10", "amount: 0", "quarter_bulletin.amount"),
        ('share: "0.8"', 'share: "1.8"', "warn_after.share"),
        ('"11990100000000505E"', '"X"', "publisher.code"),
        ("name: publication", "name: publication\nextra: 1", "extra"),
    ],
)
def test_a_fault_in_the_policy_is_named_with_its_line(right: str, wrong: str, fault: str) -> None:
    document = packaged_text("tongban_publishing", "publication.yaml")
    assert right in document

    with pytest.raises(BadPolicy, match=rf"第\d+行 {fault}"):
        PUBLICATION.parse(document.replace(right, wrong), where="publication.yaml")


def test_no_role_may_both_review_and_approve_but_the_administrator() -> None:
    roles = access_of("tongban_publishing")

    both = {"bulletin:review", "bulletin:approve"}
    assert [role for role, granted in roles.items() if both <= granted] == []
    assert roles["admin"] == {"*"}
