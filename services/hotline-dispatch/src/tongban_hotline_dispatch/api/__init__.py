"""HTTP in, HTTP out. Translates; decides nothing."""

from tongban_hotline_dispatch.api import (
    bulk,
    dispositions,
    exports,
    hot_issues,
    imports,
    likeness,
    open311,
    open311_staff,
    process,
    tickets,
)

routers = (
    bulk.router,
    likeness.router,
    hot_issues.router,
    dispositions.router,
    tickets.router,
    tickets.public,
    process.router,
    imports.router,
    exports.router,
    open311.router,
    open311_staff.router,
)
