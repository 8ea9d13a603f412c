"""The five services in one process. Loaded first, so that a start is timed with its imports."""

import time

STARTED = time.perf_counter()
