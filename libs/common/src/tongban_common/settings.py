"""Settings that every service has. Read once in `main`, passed down, never a global import."""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from tongban_common.errors import BadInput

SettingsT = TypeVar("SettingsT", bound="ServiceSettings")


class BadSettings(BadInput):
    code = "settings.bad"


def _asyncpg(url: str) -> str:
    """Never shown in a fault: it holds the password."""
    try:
        fits = make_url(url).drivername == "postgresql+asyncpg"
    except (ArgumentError, ValueError):
        fits = False
    if not fits:
        shape = "postgresql+asyncpg://用户:口令@主机:5432/库名"
        raise PydanticCustomError("database_url", "应形如 {shape}", {"shape": shape})
    return url


class ServiceSettings(BaseSettings):
    """`TONGBAN_<SERVICE>_*` in the environment, or files of the same names in a secrets folder."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    database_url: Annotated[
        str, AfterValidator(_asyncpg), Field(description="postgresql+asyncpg://…")
    ]
    database_pool: int = Field(default=10, ge=2, le=100)
    kafka: str | None = Field(default=None, description="host:port of the brokers, for the worker")
    kafka_partitions: int = Field(default=8, ge=1, le=64)
    kafka_replicas: int = Field(default=1, ge=1, le=7, description="of the topics that are made")
    kafka_session_timeout_ms: int = Field(default=15_000, ge=1_000)
    secret: SecretStr = Field(min_length=16, description="signs cursors and links, seals fields")
    issuer: str | None = Field(default=None, description="OIDC issuer of the staff tokens")
    jwks: str | None = Field(default=None, description="address or file of the issuer's JWKS")
    audience: str = "tongban"
    peers: dict[str, str] = Field(default_factory=dict, description="short name → base address")
    peer_token: SecretStr | None = Field(default=None, description="bearer token for the peers")
    host: str = "0.0.0.0"  # noqa: S104 - a container listens on every interface
    port: int = Field(default=8000, ge=0, le=65535)
    idempotency_days: int = Field(default=7, ge=1, le=90, description="how long a key is known")
    poll_seconds: float = Field(default=0.2, gt=0, description="how often idle loops look again")


def read_settings(kind: type[SettingsT]) -> SettingsT:
    """Build the settings, or raise BadSettings that lists everything that is wrong at once."""
    prefix = str(kind.model_config.get("env_prefix", ""))
    folder = Path("/run/secrets/tongban")
    try:
        return kind(_secrets_dir=folder if folder.is_dir() else None)
    except ValidationError as faults:
        lines = [
            f"{prefix}{'_'.join(str(part) for part in fault['loc'])}".upper() + f"：{fault['msg']}"
            for fault in faults.errors(include_input=False)
        ]
        raise BadSettings("配置有误：\n" + "\n".join(lines)) from None
    except SettingsError as fault:  # a value that should be JSON; its text names the field only
        raise BadSettings(f"配置有误：{fault}") from None
