from tongban_common.migrations import run
from tongban_hotline_dispatch.store import metadata

run(metadata)
