"""Whom somebody acts for: the hub sees and moves every ticket, a unit its own; and neither what
the guard keeps from them."""

from tongban_common.auth import NotPermitted, Principal
from tongban_hotline_dispatch.domain.guard import Viewer


def acts_for(who: Principal) -> str | None:
    """The unit's code, or None for the hub. Raises NotPermitted for a unit's person without one."""
    if who.may("ticket:all_units"):
        return None
    if who.unit is None:
        raise NotPermitted("您的身份没有所属承办单位")
    return who.unit


def viewer_of(who: Principal) -> Viewer:
    """Raises NotPermitted for a unit's person without one."""
    return Viewer(subject=who.subject, unit=acts_for(who))
