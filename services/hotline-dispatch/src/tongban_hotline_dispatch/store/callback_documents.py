"""A callback to its JSON document and back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from tongban_hotline_dispatch.domain.callback import (
    Callback,
    Cause,
    Heard,
    Mark,
    Outcome,
    OwnReview,
    Resolved,
)
from tongban_hotline_dispatch.store.terms import read, term_document, term_of, written

Document = Mapping[str, Any]


def callback_document(callback: Callback | None) -> dict[str, Any] | None:
    if callback is None:
        return None
    return {
        "opened_at": written(callback.opened_at),
        "cause": callback.cause,
        "attempts": [written(each) for each in callback.attempts],
        "heard": _heard_document(callback.heard),
        "is_unanswered": callback.is_unanswered,
        "done_at": written(callback.done_at),
        "no": callback.no,
        "answered_at": written(callback.answered_at),
        "call_term": term_document(callback.call_term),
        "window": term_document(callback.window),
        "rules_version": callback.rules_version,
        "own": _own_document(callback.own),
        "outcome": callback.outcome,
        "reason": callback.reason,
        "no_redo": callback.no_redo,
    }


def callback_of(found: Document | None) -> Callback | None:
    """What was stored before there were rounds lacks most of it."""
    if found is None:
        return None
    outcome = found.get("outcome")
    return Callback(
        opened_at=_sure(found["opened_at"]),
        cause=Cause(found["cause"]),
        attempts=tuple(_sure(each) for each in found["attempts"]),
        heard=_heard_of(found["heard"]),
        is_unanswered=found["is_unanswered"],
        done_at=read(found["done_at"]),
        no=found.get("no", 0),
        answered_at=read(found.get("answered_at")),
        call_term=term_of(found.get("call_term")),
        window=term_of(found.get("window")),
        rules_version=found.get("rules_version"),
        own=_own_of(found.get("own")),
        outcome=None if outcome is None else Outcome(outcome),
        reason=found.get("reason"),
        no_redo=found.get("no_redo"),
    )


def _heard_document(heard: Heard | None) -> dict[str, Any] | None:
    if heard is None:
        return None
    return {
        "resolved": heard.resolved,
        "result": heard.result,
        "process": heard.process,
        "no_redo": heard.no_redo,
        "note": heard.note,
        "result_level": heard.result_level,
        "process_level": heard.process_level,
        "replied": heard.replied,
    }


def _heard_of(found: Document | None) -> Heard | None:
    if found is None:
        return None
    return Heard(
        resolved=Resolved(found["resolved"]),
        result=Mark(found["result"]),
        process=Mark(found["process"]),
        no_redo=found["no_redo"],
        note=found["note"],
        result_level=found.get("result_level"),
        process_level=found.get("process_level"),
        replied=found.get("replied"),
    )


def _own_document(own: OwnReview | None) -> dict[str, Any] | None:
    if own is None:
        return None
    return {
        "review_id": str(own.review_id),
        "level": own.level,
        "mark": own.mark,
        "at": written(own.at),
    }


def _own_of(found: Document | None) -> OwnReview | None:
    if found is None:
        return None
    return OwnReview(
        review_id=UUID(found["review_id"]),
        level=found["level"],
        mark=Mark(found["mark"]),
        at=_sure(found["at"]),
    )


def _sure(moment: str) -> datetime:
    return datetime.fromisoformat(moment)
