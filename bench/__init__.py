"""The bench: what a lifecycle of a ticket costs, as ratios to a bare insert and an empty GET."""
