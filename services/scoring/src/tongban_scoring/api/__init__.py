"""HTTP in, HTTP out. Translates; decides nothing."""

from tongban_scoring.api import cards, entries, hotline, red_lines

routers = (
    entries.router,
    cards.periods,
    cards.cards,
    cards.rules,
    red_lines.router,
    hotline.router,
)
