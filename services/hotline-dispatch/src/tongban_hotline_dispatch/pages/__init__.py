"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import tickets

routers = (tickets.router,)
