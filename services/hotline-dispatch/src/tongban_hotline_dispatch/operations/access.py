"""Whom somebody acts for: the hub sees and moves every ticket, a unit its own."""

from tongban_common.auth import NotPermitted, Principal


def acts_for(who: Principal) -> str | None:
    """The unit's code, or None for the hub. Raises NotPermitted for a unit's person without one."""
    if who.may("ticket:all_units"):
        return None
    if who.unit is None:
        raise NotPermitted("您的身份没有所属承办单位")
    return who.unit
