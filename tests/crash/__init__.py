"""The crash test: `python -m tests.crash` kills and freezes every role under load, then proves.

`checker.py` is the proof; `mutant.py` plants the bugs that it has to catch. Nothing here is known
to the product: the effect ledger is a set of database triggers, the clock of the sweeper is shifted
by a wrapper, and every other process is the service's own console script.
"""
