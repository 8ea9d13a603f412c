"""Whom a ticket is kept from (hotline.md 2.5): the unit complained of with all below it, and staff
who recused themselves or whom the complainant asked to. 济南市条例第三十二条.
"""

from dataclasses import dataclass
from enum import StrEnum

from tongban_common.errors import Conflict, Forbidden, RuleViolation


class AccusedUnit(RuleViolation):
    """`accused_unit` and, once a directory was asked, `proposed_units` go with the refusal."""

    code = "guard.accused_unit"


class Recused(Forbidden):
    code = "guard.recused"


class AlreadyRecused(Conflict):
    code = "guard.already_recused"


class NotRecused(Conflict):
    code = "guard.not_recused"


class OwnRecusal(Forbidden):
    code = "guard.own_recusal"


class JoinedTicket(Conflict):
    code = "guard.joined"


class GuardAct(StrEnum):
    """What is recorded."""

    TARGET_NAMED = "target_named"  # 被诉单位
    RECUSED = "recused"  # 回避
    LIFTED = "recusal_lifted"  # 回避解除
    REDACTED = "redacted"  # 改写对单位和公众公开的内容


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks: a person, and the unit that the person acts for; None is the hub."""

    subject: str
    unit: str | None = None


COMPLAINANT = Viewer(subject="citizen")  # 诉求人: nothing of their own ticket is kept from them


def accused(unit_code: str, target: str) -> AccusedUnit:
    words = "该单位是本工单的被诉单位或者其下属，不得承办"
    return AccusedUnit(words, accused_unit=target, unit_code=unit_code)
