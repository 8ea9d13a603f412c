from tongban_common.migrations import run
from tongban_publishing.store import metadata

run(metadata)
