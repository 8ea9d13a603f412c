"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import (
    assessment,
    contacts,
    desks,
    dispatcher,
    dispositions,
    guard,
    hot_issues,
    identity,
    knowledge,
    knowledge_items,
    likeness,
    supervision,
    supervisor,
    ticket,
    tickets,
    unit,
)

routers = (
    desks.router,
    dispatcher.router,
    unit.router,
    supervisor.router,
    identity.router,
    guard.router,
    ticket.router,
    tickets.router,
    contacts.router,
    knowledge.router,
    knowledge_items.router,
    supervision.router,
    hot_issues.router,
    dispositions.router,
    likeness.router,
    assessment.router,
)
