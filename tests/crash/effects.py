"""What each event has to do to each consumer's tables: one key for each effect.

The ledger's triggers note every row that a consumer tries to insert, also where a conflict then
makes nothing of it. `key_of` names such a row, `expected` the rows that an event calls for.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tongban_common.working_days import SHANGHAI

from .history import Fact

# Tables whose rows come of events only; (consumer, table) is where the ledger listens.
TABLES: Mapping[str, tuple[str, ...]] = {
    "hotline": ("unit", "ticket_review"),
    "evaluation": ("unit", "invitation", "rating_key"),
    "scoring": ("unit", "service_window", "staff", "entry", "activity", "hotline_result"),
}
REPLACED = frozenset({"unit", "service_window", "staff"})  # the last event of a code wins
ONCE = frozenset({"invitation", "rating_key"})  # one row, however many events lead to it

_KEYS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "unit": lambda row: f"unit:{row['code']}:{row['name']}",
    "service_window": lambda row: f"service_window:{row['code']}:{row['name']}",
    "staff": lambda row: f"staff:{row['code']}:{row['window_code']}",
    "invitation": lambda row: f"invitation:{row['matter_kind']}:{row['matter_id']}",
    "rating_key": lambda row: f"rating_key:{row['digest']}",
    "ticket_review": lambda row: f"ticket_review:{row['ticket_id']}",
    "entry": lambda row: f"entry:{row['source']}",
    "activity": lambda row: f"activity:{row['day']}",
    "hotline_result": lambda row: (
        f"hotline_result:{row['assessment_id']}:{row['run']}:{row['unit_code']}"
    ),
}


def key_of(table: str, row: Mapping[str, Any]) -> str:
    return _KEYS[table](row)


def _named(table: str, code: str) -> Callable[[Fact], list[str]]:
    return lambda fact: [f"{table}:{fact.data[code]}:{fact.data['name']}"]


def _staff(fact: Fact) -> list[str]:
    return [f"staff:{fact.data['staff_code']}:{fact.data['window_code']}"]


def _entry(fact: Fact) -> list[str]:
    return [f"entry:{fact.id}"]


def _handled(fact: Fact) -> list[str]:
    return [f"activity:{fact.at.astimezone(SHANGHAI).date()}"]


def _entry_if(name: str, holds: Callable[[Any], bool]) -> Callable[[Fact], list[str]]:
    return lambda fact: _entry(fact) if holds(fact.data.get(name)) else []


def _assessed(fact: Fact) -> list[str]:
    run = f"hotline_result:{fact.subject}:{fact.data['run']}"
    return [f"{run}:{unit['unit_code']}" for unit in fact.data["units"]]


def _invited(fact: Fact) -> list[str]:
    return [f"invitation:ticket:{fact.subject}"]


def _heard(fact: Fact) -> list[str]:
    is_review = fact.data["is_final"] and fact.data["outcome"] == "reached"
    return _invited(fact) if is_review else []


def _reviewed(fact: Fact) -> list[str]:
    is_tickets = fact.data["matter_kind"] == "ticket"
    return [f"ticket_review:{fact.data['matter_id']}"] if is_tickets else []


def _ticket_missed(fact: Fact) -> list[str]:
    is_units = fact.data["clock"] == "unit" and fact.data["unit_code"] is not None
    return _entry(fact) if is_units else []


EXPECTED: Mapping[tuple[str, str], Callable[[Fact], list[str]]] = {
    ("hotline", "tongban.intake.unit-changed.v1"): _named("unit", "unit_code"),
    ("evaluation", "tongban.intake.unit-changed.v1"): _named("unit", "unit_code"),
    ("evaluation", "tongban.intake.case-completed.v1"): lambda fact: [
        f"invitation:case:{fact.subject}"
    ],
    ("evaluation", "tongban.hotline.ticket-closed.v1"): _invited,
    ("evaluation", "tongban.hotline.rating-invited.v1"): _invited,
    ("evaluation", "tongban.hotline.callback-completed.v1"): _heard,
    ("evaluation", "tongban.hotline.rating-offered.v1"): lambda fact: [
        f"rating_key:{fact.data['key_digest']}"
    ],
    ("hotline", "tongban.evaluation.review-submitted.v1"): _reviewed,
    ("scoring", "tongban.intake.unit-changed.v1"): _named("unit", "unit_code"),
    ("scoring", "tongban.intake.window-changed.v1"): _named("service_window", "window_code"),
    ("scoring", "tongban.intake.staff-changed.v1"): _staff,
    ("scoring", "tongban.intake.case-accepted.v1"): _handled,
    ("scoring", "tongban.intake.deadline-missed.v1"): _entry_if(
        "kind", lambda kind: kind == "promise"
    ),
    ("scoring", "tongban.intake.case-completed.v1"): _entry_if(
        "overdue_working_days", lambda days: days > 0
    ),
    ("scoring", "tongban.hotline.ticket-assigned.v1"): _handled,
    ("scoring", "tongban.hotline.deadline-missed.v1"): _ticket_missed,
    ("scoring", "tongban.hotline.ticket-replied.v1"): _entry_if(
        "overdue_working_days", lambda days: days > 1
    ),
    ("scoring", "tongban.hotline.assessment-finished.v1"): _assessed,
    ("scoring", "tongban.evaluation.rectification-closed.v1"): _entry_if(
        "is_substantiated", lambda is_so: is_so is True
    ),
}


def expected(consumer: str, fact: Fact) -> list[str]:
    """The keys of the effects that this event has on this consumer; none where it is not read."""
    effect = EXPECTED.get((consumer, fact.type))
    return [] if effect is None else effect(fact)
