"""Values of the domain to JSON documents and back: terms, asks, replies."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from tongban_common.working_days import Limit, Unit
from tongban_hotline_dispatch.domain.assignment import Ask, AskKind, Reply, SignOff
from tongban_hotline_dispatch.domain.callback import Phase, Suspension
from tongban_hotline_dispatch.domain.deadlines import STATUTE, Counting, Pause, Term

Document = Mapping[str, Any]


def term_document(term: Term | None) -> dict[str, Any] | None:
    if term is None:
        return None
    return {
        "start_at": written(term.start_at),
        "amount": term.limit.amount,
        "unit": term.limit.unit,
        "clause": term.limit.clause,
        "due_at": written(term.due_at),
        "warn_at": written(term.warn_at),
        "policy": term.policy,
        "calendar": term.calendar_version,
        "pauses": [
            [each.reason, written(each.from_at), written(each.to_at)] for each in term.pauses
        ],
        "extended_by": term.extended_by,
        "cap_at": written(term.cap_at),
        "floor_at": written(term.floor_at),
        "counting": _counting_document(term.counting),
    }


def term_of(found: Document | None) -> Term | None:
    return None if found is None else sure_term(found)


def sure_term(found: Document) -> Term:
    return Term(
        start_at=datetime.fromisoformat(found["start_at"]),
        limit=Limit(amount=found["amount"], unit=Unit(found["unit"]), clause=found["clause"]),
        due_at=datetime.fromisoformat(found["due_at"]),
        warn_at=read(found["warn_at"]),
        policy=found["policy"],
        calendar_version=found["calendar"],
        pauses=tuple(
            Pause(
                reason=reason,
                from_at=datetime.fromisoformat(from_at),
                to_at=datetime.fromisoformat(to_at),
            )
            for reason, from_at, to_at in found["pauses"]
        ),
        extended_by=found["extended_by"],
        cap_at=read(found["cap_at"]),
        floor_at=read(found["floor_at"]),
        counting=_counting_of(found.get("counting")),
    )


def _counting_document(counting: Counting) -> list[str | None] | None:
    if counting == STATUTE:
        return None
    return [None if each is None else each.isoformat() for each in (counting.ends, counting.rolls)]


def _counting_of(found: list[str | None] | None) -> Counting:
    if found is None:
        return STATUTE
    ends, rolls = (None if each is None else time.fromisoformat(each) for each in found)
    return Counting(ends=ends, rolls=rolls)


def ask_document(ask: Ask) -> dict[str, Any]:
    return {
        "kind": ask.kind,
        "asked_at": written(ask.asked_at),
        "by": ask.by,
        "term": term_document(ask.term),
        "grounds": dict(ask.grounds),
        "is_granted": ask.is_granted,
        "decided_at": written(ask.decided_at),
        "decided_by": ask.decided_by,
        "note": ask.note,
        "signed_off": _sign_off_document(ask.signed_off),
    }


def ask_of(found: Document) -> Ask:
    return Ask(
        kind=AskKind(found["kind"]),
        asked_at=datetime.fromisoformat(found["asked_at"]),
        by=found["by"],
        term=sure_term(found["term"]),
        grounds=found["grounds"],
        is_granted=found["is_granted"],
        decided_at=read(found["decided_at"]),
        decided_by=found["decided_by"],
        note=found["note"],
        signed_off=_sign_off_of(found.get("signed_off")),
    )


def reply_document(reply: Reply | None) -> dict[str, Any] | None:
    if reply is None:
        return None
    return {
        "internal": reply.internal,
        "public": reply.public,
        "citations": list(reply.citations),
        "evidence": list(reply.evidence),
        "is_resolved": reply.is_resolved,
        "signed_off": _sign_off_document(reply.signed_off),
    }


def reply_of(found: Document | None) -> Reply | None:
    if found is None:
        return None
    return Reply(
        internal=found["internal"],
        public=found["public"],
        citations=tuple(found["citations"]),
        evidence=tuple(found["evidence"]),
        is_resolved=found["is_resolved"],
        signed_off=_sign_off_of(found.get("signed_off")),
    )


def _sign_off_document(given: SignOff | None) -> dict[str, Any] | None:
    return None if given is None else {"by": given.by, "at": written(given.at)}


def _sign_off_of(found: Document | None) -> SignOff | None:
    if found is None:
        return None
    return SignOff(by=found["by"], at=datetime.fromisoformat(found["at"]))


def phase_document(phase: Phase | None) -> dict[str, Any] | None:
    if phase is None:
        return None
    return {"measures": phase.measures, "promised_on": phase.promised_on.isoformat()}


def phase_of(found: Document | None) -> Phase | None:
    if found is None:
        return None
    promised = date.fromisoformat(found["promised_on"])
    return Phase(measures=found["measures"], promised_on=promised)


def suspension_document(held: Suspension | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {"reason": held.reason, "since": written(held.since), "back_to": held.back_to}


def suspension_of(found: Document | None) -> Suspension | None:
    if found is None:
        return None
    since = datetime.fromisoformat(found["since"])
    return Suspension(reason=found["reason"], since=since, back_to=found["back_to"])


def written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def read(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
