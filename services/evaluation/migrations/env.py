from tongban_common.migrations import run
from tongban_evaluation.main import SERVICE

run(SERVICE.metadata)
