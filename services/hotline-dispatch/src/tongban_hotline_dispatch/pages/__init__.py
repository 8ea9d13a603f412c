"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import (
    agent,
    assessment,
    citizen,
    contacts,
    desks,
    dispatcher,
    dispositions,
    hot_issues,
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
    agent.router,
    supervisor.router,
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
    citizen.router,
)
