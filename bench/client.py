"""One client, a process of its own: does one thing again and again, and says how often.

Plain blocking HTTP over one kept connection: what it costs itself is small and the same for all.
"""

import http.client
import json
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

_MATTER = {"title": "路灯不亮", "content": "小区门口的路灯不亮了，请处理。"}


@dataclass(frozen=True, slots=True)
class Task:
    """What to do (lifecycle, insert or empty), where, for how many seconds, by which tokens.

    `start` is a moment of the machine's monotonic clock: all clients of a turn begin together.
    """

    subject: str
    port: int
    seconds: float
    start: float
    hub: str = ""
    officer: str = ""


@dataclass(slots=True)
class Done:
    operations: int = 0
    requests: int = 0
    seconds: float = 0.0


class Unexpected(Exception):
    """An answer that is no success: the measurement is worth nothing."""


class Client:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._connection = http.client.HTTPConnection("127.0.0.1", task.port, timeout=30)
        self.requests = 0

    def wait(self) -> None:
        """Connected, until the turn begins."""
        self._connection.connect()
        time.sleep(max(0.0, self._task.start - time.monotonic()))

    def lifecycle(self) -> None:
        """Create, assign, sign, reply, close, read: with keys and versions, as a platform does."""
        hub, officer = self._task.hub, self._task.officer
        appeal = {"channel": "wechat", "appeal_type": "help", **_MATTER}
        ticket = self._ask("POST", "/hotline/v1/tickets", appeal, token=hub)
        moves: tuple[tuple[str, dict[str, str], str], ...] = (
            ("assign", {"unit_code": "BENCH"}, hub),
            ("sign", {}, officer),
            ("reply", {"text": "已修好。"}, officer),
            ("close", {}, hub),
        )
        path = f"/hotline/v1/tickets/{ticket['id']}"
        for move, body, token in moves:
            version = ticket["version"]
            ticket = self._ask("POST", f"{path}/{move}", body, token=token, version=version)
        self._ask("GET", path, None, token=hub)

    def insert(self) -> None:
        self._ask("POST", "/rows", _MATTER)

    def empty(self) -> None:
        self._ask("GET", "/empty", None)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        *,
        token: str = "",
        version: int | None = None,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None:
            headers["Content-Type"] = "application/json"
            headers["Idempotency-Key"] = secrets.token_hex(16)
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        raw = None if body is None else json.dumps(body).encode()
        self._connection.request(method, path, raw, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        self.requests += 1
        if answer.status >= 300:
            raise Unexpected(f"{method} {path}: {answer.status} {content.decode()[:300]}")
        known: dict[str, Any] = json.loads(content)
        return known


def work(task: Task) -> Done:
    """Raises Unexpected for any answer that is no success."""
    client = Client(task)
    act: Callable[[], None] = getattr(client, task.subject)
    done = Done()
    client.wait()
    begun = time.perf_counter()
    while done.seconds < task.seconds:
        act()
        done.operations += 1
        done.seconds = time.perf_counter() - begun
    done.requests = client.requests
    return done


if __name__ == "__main__":
    try:
        print(json.dumps(asdict(work(Task(**json.load(sys.stdin))))))
    except (Unexpected, OSError) as fault:
        sys.exit(str(fault))
