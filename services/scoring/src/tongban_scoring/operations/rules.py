"""The rules in force at one moment: the book and the calendar."""

from dataclasses import dataclass
from datetime import datetime

from tongban_common.service import Kit
from tongban_common.working_days import SHANGHAI, WorkingCalendar
from tongban_scoring.domain.rules import RuleBook
from tongban_scoring.store.policies import RULE_BOOK


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    book: RuleBook
    calendar: WorkingCalendar


async def rules_at(kit: Kit, *, now: datetime) -> Rules:
    policy = await kit.policy(RULE_BOOK).at(now.astimezone(SHANGHAI).date())
    return Rules(book=policy.book(), calendar=await kit.calendars.current())
