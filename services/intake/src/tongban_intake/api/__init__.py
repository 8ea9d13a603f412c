"""HTTP in, HTTP out. Translates; decides nothing."""

from tongban_intake.api import cases, moves, reference

ROUTERS = (moves.router, cases.router, reference.router)

__all__ = ["ROUTERS"]
