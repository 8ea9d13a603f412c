"""Which text is somebody's words. Pure: the edges refuse the rest, and domains may ask too."""

import re

# C0 but tab and line ends, DEL and C1; what embeds, overrides or isolates a direction; halves of a
# pair and what is no character. The marks U+200E and U+200F stay: they reorder no words, and
# Uyghur text needs them.
_UNFIT = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def is_plain(text: str) -> bool:
    """False for what PostgreSQL cannot store, a terminal obeys, or a reader is deceived by."""
    return _UNFIT.search(text) is None
