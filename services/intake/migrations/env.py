from tongban_common.migrations import run
from tongban_intake.store import metadata

run(metadata)
