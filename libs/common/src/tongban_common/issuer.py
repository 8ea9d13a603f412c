"""A development issuer of staff tokens: for the demo and the tests, absent elsewhere."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from tongban_common.clock import utc_now

ISSUER = "urn:tongban:development"
AUDIENCE = "tongban"


class DevelopmentIssuer:
    """Keeps its key pair in a folder: `key.json` for itself, `jwks.json` for the services."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._key_file = folder / "key.json"
        self.jwks = folder / "jwks.json"
        if not self._key_file.exists():
            key = ECKey.generate_key("P-256", {"kid": "development", "alg": "ES256", "use": "sig"})
            _write_private(self._key_file, orjson.dumps(key.as_dict(private=True)))
            public = KeySet([ECKey.import_key(key.as_dict(private=False))])
            self.jwks.write_bytes(orjson.dumps(public.as_dict()))
        self._key = ECKey.import_key(orjson.loads(self._key_file.read_bytes()))

    def token(
        self,
        *,
        subject: str,
        roles: list[str],
        unit: str | None = None,
        hours: float = 12,
        now: datetime | None = None,
    ) -> str:
        issued = now or utc_now()
        claims: dict[str, object] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": subject,
            "roles": roles,
            "iat": int(issued.timestamp()),
            "exp": int((issued + timedelta(hours=hours)).timestamp()),
        }
        if unit is not None:
            claims["unit"] = unit
        return jwt.encode({"alg": "ES256", "kid": "development"}, claims, self._key)


def _write_private(file: Path, content: bytes) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
