"""Contracts against the code (drift) and against the last commit on main (compatibility)."""

import subprocess
from pathlib import Path

import orjson

from tongban_common import contracts
from tongban_suite.city import SERVICES


def faults(folder: Path) -> list[str]:
    """Every drift and every incompatible change, one line each."""
    found = []
    base = _base()
    for service in SERVICES:
        fresh = contracts.documents(service)
        for name, document in fresh.items():
            file = folder / service.short / name
            if not file.exists() or file.read_bytes() != contracts.dump(document):
                found.append(f"{file}: differs from the code; run `make contracts`")
            before = _at(base, file)
            if before is not None and not name.startswith("asyncapi"):
                compare = (
                    contracts.api_incompatibilities
                    if name == "openapi.json"
                    else contracts.incompatibilities
                )
                found += [f"{file}: {fault}" for fault in compare(before, document)]
        found += _gone(base, folder / service.short, set(fresh))
    return found


def _gone(base: str | None, folder: Path, fresh: set[str]) -> list[str]:
    """Schemas that were promised on main and are no longer exported."""
    if base is None:
        return []
    listed = _git("ls-tree", "-r", "--name-only", base, "--", f"{folder}/")
    names = [Path(line).relative_to(folder).as_posix() for line in (listed or "").splitlines()]
    return [
        f"{folder / name}: an event type was removed"
        for name in names
        if name.endswith(".schema.json") and name not in fresh
    ]


def _base() -> str | None:
    """main, or the commit before it where main is what is checked out; None outside of git."""
    head, main = _git("rev-parse", "HEAD"), _git("rev-parse", "main")
    if main is None:
        return head
    return _git("rev-parse", "HEAD~1") if head == main else main


def _at(base: str | None, file: Path) -> contracts.Document | None:
    content = None if base is None else _git("show", f"{base}:{file.as_posix()}")
    document: contracts.Document | None = None if content is None else orjson.loads(content)
    return document


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607 - our own arguments
    return done.stdout.strip() if done.returncode == 0 else None
