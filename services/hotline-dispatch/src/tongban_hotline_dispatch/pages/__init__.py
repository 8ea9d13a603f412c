"""What people look at. Translates; decides nothing."""

from tongban_hotline_dispatch.pages import dispositions, hot_issues, likeness, tickets

routers = (tickets.router, hot_issues.router, dispositions.router, likeness.router)
