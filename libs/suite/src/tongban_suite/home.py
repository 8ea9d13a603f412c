"""Where a suite on one machine keeps its things: database, issuer, secret."""

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tongban_common.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from tongban_common.settings import ServiceSettings
from tongban_suite.city import SERVICES
from tongban_suite.embedded import EmbeddedPostgres


@dataclass(frozen=True, slots=True)
class Home:
    """A folder, by default `.run`; another one with TONGBAN_HOME."""

    folder: Path

    @classmethod
    def default(cls) -> "Home":
        return cls(Path(os.environ.get("TONGBAN_HOME", ".run")).resolve())

    @property
    def issuer(self) -> DevelopmentIssuer:
        return DevelopmentIssuer(self.folder / "issuer")

    @property
    def database(self) -> Path:
        return self.folder / "pg"

    def secret(self) -> str:
        file = self.folder / "secret"
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as stream:
                stream.write(secrets.token_urlsafe(32))
        return file.read_text()

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def settings(self, server: EmbeddedPostgres, prefix: str = "") -> Mapping[str, ServiceSettings]:
        """The five services' settings over one embedded server."""
        issuer, secret = self.issuer, self.secret()
        return {
            service.short: service.settings.model_validate(
                {
                    "database_url": server.url(f"{prefix}{service.short}"),
                    "secret": f"{secret}:{service.short}",
                    "issuer": ISSUER,
                    "audience": AUDIENCE,
                    "jwks": str(issuer.jwks),
                }
            )
            for service in SERVICES
        }
