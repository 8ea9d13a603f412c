"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import contacts, knowledge, knowledge_items, tickets

routers = (tickets.router, contacts.router, knowledge.router, knowledge_items.router)
