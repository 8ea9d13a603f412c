"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import assessment, tickets

routers = (tickets.router, assessment.router)
