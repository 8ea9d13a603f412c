"""stub"""


def main() -> None:
    """Timers."""
