"""Settings of publishing: `TONGBAN_PUBLISHING_*`."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tongban_common.settings import ServiceSettings


class PublishingSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TONGBAN_PUBLISHING_", extra="ignore", frozen=True)

    public_url: str = Field(
        default="http://localhost:8000",
        description="where the public finds the pages",
    )
