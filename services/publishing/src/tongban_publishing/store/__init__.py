"""The tables of publishing and the only writers to them."""

from tongban_publishing.store.bulletins import (
    BulletinNotFound,
    Bulletins,
    bulletin,
    bulletin_result,
    bulletin_score,
    metadata,
    name,
)

__all__ = [
    "BulletinNotFound",
    "Bulletins",
    "bulletin",
    "bulletin_result",
    "bulletin_score",
    "metadata",
    "name",
]
