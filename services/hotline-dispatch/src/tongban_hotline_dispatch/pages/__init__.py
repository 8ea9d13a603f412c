"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import desks, dispatcher, supervisor, ticket, tickets, unit

routers = (
    desks.router,
    dispatcher.router,
    unit.router,
    supervisor.router,
    ticket.router,
    tickets.router,
)
