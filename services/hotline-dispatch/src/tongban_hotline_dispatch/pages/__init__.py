"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import supervision, tickets

routers = (tickets.router, supervision.router)
