"""Refusals: the facts a caller is told when the answer is no.

A refusal has a stable English `code` for programs and a Chinese message for people. Its kind says
what sort of no it is; `http` holds the only map from kinds to status codes.
"""

from typing import ClassVar

# What RFC 9457 and our problems say themselves: a fact of the same name would take its place.
_RESERVED = frozenset(
    {"type", "title", "status", "detail", "instance", "code", "errors", "trace_id"}
)


class Refusal(Exception):
    """The request was understood and is refused.

    `facts` are safe to show: nothing personal, and nothing that the caller sent.
    """

    code: ClassVar[str] = "refused"

    def __init__(self, message: str, **facts: object) -> None:
        taken = _RESERVED & facts.keys()
        if taken:
            raise TypeError(f"a fact may not be called {', '.join(sorted(taken))}")
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


class UnsupportedMedia(Refusal):
    code = "unsupported_media"


class Unauthenticated(Refusal):
    code = "unauthenticated"


class StaleVersion(Refusal):
    code = "stale_version"


class PreconditionMissing(Refusal):
    code = "precondition_missing"


class TooOften(Refusal):
    code = "too_often"


class TooBusy(Refusal):
    code = "too_busy"
