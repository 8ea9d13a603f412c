"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import hot_issues, tickets

routers = (tickets.router, hot_issues.router)
