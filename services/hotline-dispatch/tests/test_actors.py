"""Who may make a move: what the transition tables say is what access.yaml grants."""

from collections.abc import Mapping

from tongban_common.policies import access_of
from tongban_hotline_dispatch.domain.moves import Act, Actor
from tongban_hotline_dispatch.domain.process_tables import TICKET
from tongban_hotline_dispatch.pages.move_table import MOVES

ACCESS = access_of("tongban_hotline_dispatch")
# The roles in which somebody acts as that; citizens and timers have none.
ROLES: Mapping[Actor, frozenset[str]] = {
    Actor.AGENT: frozenset({"agent"}),
    Actor.DISPATCHER: frozenset({"dispatcher"}),
    Actor.CENTER: frozenset({"supervisor"}),
    Actor.REVIEWER: frozenset({"reviewer"}),
    Actor.CALLER_BACK: frozenset({"agent", "dispatcher", "reviewer"}),
    Actor.UNIT: frozenset({"unit_officer", "unit_leader"}),
}


def granted(act: Act) -> set[str]:
    """The roles with the permission of one of the moves that lead to it."""
    asked = {f"ticket:{each.permission}" for each in MOVES if each.act is act}
    if act is Act.FORCE:
        asked.add(
            "ticket:assign"
        )  # after the policy's number of returns, to assign is to designate
    return {role for role, may in ACCESS.items() if asked & may} - {"admin"}


def test_whoever_the_tables_name_may_make_the_move_and_nobody_else() -> None:
    differs = {}
    for act in {each.act for each in MOVES}:
        named = {actor for row in TICKET.rows if row.act is act for actor in row.actors}
        roles = {role for actor in named if actor in ROLES for role in ROLES[actor]}
        may = granted(act)
        lacking = {actor for actor in named if actor in ROLES and not ROLES[actor] & may}
        if lacking or may - roles:
            differs[act] = (lacking, may - roles)

    assert differs == {}
