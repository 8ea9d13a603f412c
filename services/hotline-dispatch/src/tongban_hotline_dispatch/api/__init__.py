"""HTTP in, HTTP out. Translates; decides nothing."""

from tongban_hotline_dispatch.api import (
    bulk,
    exports,
    imports,
    open311,
    open311_staff,
    process,
    supervision,
    tickets,
)

routers = (
    bulk.router,
    tickets.router,
    tickets.public,
    process.router,
    imports.router,
    exports.router,
    open311.router,
    open311_staff.router,
    supervision.router,
)
