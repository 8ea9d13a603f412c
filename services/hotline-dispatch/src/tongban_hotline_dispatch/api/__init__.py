"""HTTP in, HTTP out. Translates; decides nothing."""

from tongban_hotline_dispatch.api import (
    dispatching,
    exports,
    imports,
    matters,
    open311,
    open311_staff,
    suggestions,
    tickets,
)

routers = (
    tickets.router,
    tickets.public,
    imports.router,
    exports.router,
    open311.router,
    open311_staff.router,
    matters.router,
    matters.versions,
    dispatching.router,
    suggestions.router,
    suggestions.decisions,
    suggestions.figures,
)
