"""Open311 GeoReport v2 as a door of the hotline: what is offered, what is filed, what is asked."""
