"""Every operation that a contract names, asked with what fits it and what does not.

Schemathesis draws the requests; the suite of `tongban run` with its demo city answers, three roles
in turn. No answer may be a failure of the server, or one that the contract does not name. Every
operation is asked by every role, and of the hotline at least so many do what they are asked.
`FUZZ=50` draws so many requests an operation and asks all five services, as `make fuzz` does.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_BIN = Path(sys.executable).parent
_CONTRACTS = Path(__file__).parents[2] / "contracts"
_EACH = os.environ.get("FUZZ")
_SERVICES = ("intake", "hotline", "evaluation", "scoring", "publishing") if _EACH else ("hotline",)
_ROLES = ("admin", "unit_officer", "agent")
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
_READY_SECONDS = 120
# Of the hotline's operations, how many a role is to see done (2xx) at least once: it had 72, 32 and
# 40 of 190 when this was written, and four requests drawn for each leave some to chance. Raise it
# with what is seen.
_DONE = {"admin": 60, "unit_officer": 25, "agent": 32}


@dataclass(frozen=True, slots=True)
class Suite:
    url: str
    home: Path

    def token(self, role: str) -> str:
        made = subprocess.run(
            [_BIN / "tongban", "token", "--role", role, "--unit", "DONGHU"],
            env={**os.environ, "TONGBAN_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=True,
        )
        return made.stdout.split()[-1]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    home = tmp_path_factory.mktemp("home")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [_BIN / "tongban", "run", "--port", str(port)],
            env={**os.environ, "TONGBAN_HOME": str(home / "run")},
            stdout=log,
            stderr=log,
        )
        try:
            _wait(f"http://127.0.0.1:{port}/", process, home / "log")
            yield Suite(f"http://127.0.0.1:{port}", home / "run")
        finally:
            process.terminate()
            process.wait(timeout=60)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text(errors="replace")[-2000:])


@pytest.mark.parametrize("role", _ROLES)
@pytest.mark.parametrize("service", _SERVICES)
def test_no_request_makes_a_service_fail_or_answer_what_its_contract_does_not_name(
    suite: Suite, service: str, role: str, tmp_path: Path
) -> None:
    phases = "coverage,fuzzing" if _EACH else "fuzzing"
    contract, report = _CONTRACTS / service / "openapi.json", tmp_path / "report.ndjson"
    told = subprocess.run(
        [
            _BIN / "schemathesis",
            "run",
            contract,
            *("--url", suite.url),
            *("--header", f"Authorization: Bearer {suite.token(role)}"),
            *("--checks", ",".join(_CHECKS)),
            *("--phases", phases),
            *("--max-examples", _EACH or "4"),
            *("--workers", "2"),
            *("--suppress-health-check", "all"),
            *("--warnings", "off"),
            *("--report", "ndjson", "--report-ndjson-path", report),
            "--continue-on-failure",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]

    answers = _answers(report)
    done = {name for name, statuses in answers.items() if any(each < 300 for each in statuses)}
    print(f"{service}, {role}: {len(done)} of {len(answers)} operations did what they were asked")
    assert _operations(contract) - {name for name, statuses in answers.items() if statuses} == set()
    assert service != "hotline" or len(done) >= _DONE[role], sorted(set(answers) - done)


def _operations(contract: Path) -> set[str]:
    paths = json.loads(contract.read_bytes())["paths"]
    return {f"{method.upper()} {path}" for path, item in paths.items() for method in item}


def _answers(report: Path) -> dict[str, set[int]]:
    """By operation, the statuses that it was answered with."""
    found: dict[str, set[int]] = {}
    for line in report.read_text(encoding="utf-8").splitlines():
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder")
        if recorder is None:
            continue
        statuses = found.setdefault(recorder["label"], set())
        for each in recorder["interactions"].values():
            if each.get("response") is not None:
                statuses.add(each["response"]["status_code"])
    return found
