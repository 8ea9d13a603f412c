from tongban_common.migrations import run
from tongban_scoring.store import metadata

run(metadata)
