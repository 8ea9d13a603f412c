"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import contacts, tickets

routers = (tickets.router, contacts.router)
