"""HTTP in, HTTP out. Translates; decides nothing."""

from tongban_hotline_dispatch.api import imports, tickets

routers = (tickets.router, tickets.public, imports.router)
