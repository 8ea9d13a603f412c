"""Refusals: the facts a caller is told when the answer is no.

A refusal has a stable English `code` for programs and a Chinese message for people. Its kind says
what sort of no it is; `http` holds the only map from kinds to status codes.
"""

from typing import ClassVar


class Refusal(Exception):
    """The request was understood and is refused. `facts` are safe to show (no personal data)."""

    code: ClassVar[str] = "refused"

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class NotFound(Refusal):
    code = "not_found"


class Gone(Refusal):
    code = "gone"


class Conflict(Refusal):
    code = "conflict"


class RuleViolation(Refusal):
    code = "rule_violation"


class Forbidden(Refusal):
    code = "forbidden"


class BadInput(Refusal):
    code = "bad_input"


class TooLarge(Refusal):
    code = "too_large"


class Unauthenticated(Refusal):
    code = "unauthenticated"


class StaleVersion(Refusal):
    code = "stale_version"


class PreconditionMissing(Refusal):
    code = "precondition_missing"


class TooBusy(Refusal):
    code = "too_busy"
