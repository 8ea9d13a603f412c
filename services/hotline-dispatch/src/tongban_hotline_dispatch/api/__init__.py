"""HTTP in, HTTP out. Translates; decides nothing."""

from tongban_hotline_dispatch.api import (
    assessment,
    bulk,
    exclusions,
    exports,
    imports,
    open311,
    open311_staff,
    process,
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
    assessment.router,
    assessment.others,
    exclusions.router,
    exclusions.audits,
)
