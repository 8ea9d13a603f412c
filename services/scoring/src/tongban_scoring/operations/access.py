"""Who may see what."""

from tongban_common.auth import Principal


def sees_unpublished(who: Principal | None) -> bool:
    """Staff see scorecards before two people have published their bulletin."""
    return who is not None and who.may("scorecard:read")
