"""HTTP in, HTTP out: translates, decides nothing."""

from tongban_evaluation.api import rectifications, reviews

routers = (reviews.router, rectifications.router)
