"""Where a suite on one machine keeps its things: database, issuer, secret.

Imports little, as `embedded` does.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tongban_common.errors import BadInput, Conflict
from tongban_suite.embedded import DoesNotStart, EmbeddedPostgres, stop_left_over

if TYPE_CHECKING:
    from tongban_common.issuer import DevelopmentIssuer
    from tongban_common.settings import ServiceSettings

MEND = "；可用 make run RESET=1（即 tongban run --reset）清空数据，重新开始"
_LOCK = "lock"


class BadHome(BadInput):
    code = "suite.bad_home"


class HomeInUse(Conflict):
    code = "suite.home_in_use"


@dataclass(frozen=True, slots=True)
class Home:
    """A folder, by default `.run`; another one with TONGBAN_HOME."""

    folder: Path

    @classmethod
    def default(cls) -> "Home":
        return cls(Path(os.environ.get("TONGBAN_HOME") or ".run").resolve())

    @property
    def issuer(self) -> "DevelopmentIssuer":
        """Raises BadHome."""
        from joserfc.errors import JoseError

        from tongban_common.issuer import DevelopmentIssuer

        self.make()
        try:
            issuer = DevelopmentIssuer(self.folder / "issuer")
        except (OSError, ValueError, TypeError, KeyError, JoseError) as fault:
            raise BadHome(f"{self.folder}/issuer/key.json 已损坏{MEND}") from fault
        if not issuer.jwks.exists():
            raise BadHome(f"{issuer.jwks} 缺失{MEND}")
        return issuer

    @property
    def database(self) -> Path:
        return self.folder / "pg"

    @property
    def has_demo(self) -> bool:
        """A demo that was interrupted while it was built does not count."""
        return (self.folder / "demo").exists()

    def keep_demo(self) -> None:
        (self.folder / "demo").touch()

    def make(self) -> None:
        """Raises BadHome."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise BadHome(
                f"无法建立数据文件夹 {self.folder}（{fault.strerror}）；请检查 TONGBAN_HOME"
            ) from fault

    @contextmanager
    def locked(self) -> Iterator[None]:
        """For one process at a time; the system lets go when it ends. Raises HomeInUse."""
        self.make()
        try:
            stream = (self.folder / _LOCK).open("a+", encoding="utf-8")
        except OSError as fault:
            raise BadHome(f"无法写入数据文件夹 {self.folder}（{fault.strerror}）") from fault
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.seek(0)
                holder = stream.read().strip() or "未知"
                raise HomeInUse(
                    f"{self.folder} 正由进程 {holder} 使用；"
                    "请先停止它，或用 TONGBAN_HOME 另设数据文件夹"
                ) from None
            stream.truncate(0)
            stream.write(str(os.getpid()))
            stream.flush()
            yield

    def secret(self) -> str:
        """Raises BadHome."""
        file = self.folder / "secret"
        try:
            if not file.exists():
                self.make()
                _write_private(file, secrets.token_urlsafe(32))
            secret = file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as fault:
            raise BadHome(f"{file} 无法读取{MEND}") from fault
        if not secret:
            raise BadHome(f"{file} 是空的{MEND}")
        return secret

    def remove(self) -> None:
        """Everything but the lock, which the caller holds. Raises BadHome."""
        stop_left_over(self.database)
        try:
            for each in self.folder.iterdir():
                if each.is_dir() and not each.is_symlink():
                    shutil.rmtree(each)
                elif each.name != _LOCK:
                    each.unlink()
        except OSError as fault:
            raise BadHome(f"无法清空 {self.folder}（{fault.strerror}）") from fault

    @contextmanager
    def server(self) -> Iterator[EmbeddedPostgres]:
        """The database server of this home. Raises BadHome."""
        self.make()
        with ExitStack() as stack:
            try:
                server = stack.enter_context(EmbeddedPostgres(self.database))
            except DoesNotStart as refusal:
                raise BadHome(f"{refusal.message}{MEND}") from refusal
            yield server

    def settings(
        self, server: EmbeddedPostgres, *, public_url: str = "http://localhost:8000"
    ) -> "Mapping[str, ServiceSettings]":
        """The five services' settings over one embedded server."""
        from tongban_common.issuer import AUDIENCE, ISSUER
        from tongban_suite.city import SERVICES

        issuer, secret = self.issuer, self.secret()
        return {
            service.short: service.settings.model_validate(
                {
                    "database_url": server.url(service.short),
                    "secret": f"{secret}:{service.short}",
                    "issuer": ISSUER,
                    "audience": AUDIENCE,
                    "jwks": str(issuer.jwks),
                    "models": self.folder / "models",  # of the hotline; others have none
                    "public_url": public_url,
                }
            )
            for service in SERVICES
        }


def _write_private(file: Path, content: str) -> None:
    """Whole or not at all, and for the owner only."""
    half = file.with_name(f"{file.name}.new")
    half.unlink(missing_ok=True)
    handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(content)
    half.rename(file)
