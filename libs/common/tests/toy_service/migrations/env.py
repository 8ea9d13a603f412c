from toy_service import metadata

from tongban_common.migrations import run

run(metadata)
