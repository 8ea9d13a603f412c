"""HTTP in, HTTP out. Translates; decides nothing."""

from tongban_hotline_dispatch.api import (
    bulk,
    contact_rounds,
    contacts,
    dispatching,
    exports,
    imports,
    knowledge,
    knowledge_duties,
    matters,
    open311,
    open311_staff,
    process,
    suggestions,
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
    matters.router,
    matters.versions,
    dispatching.router,
    suggestions.router,
    suggestions.decisions,
    suggestions.figures,
    contacts.router,
    contact_rounds.router,
    knowledge.router,
    knowledge_duties.router,
)
