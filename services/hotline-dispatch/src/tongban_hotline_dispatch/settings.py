"""Settings of the hotline: `TONGBAN_HOTLINE_*`."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tongban_common.settings import ServiceSettings

DEFAULT_MODELS = Path(".run/models")


class HotlineSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TONGBAN_HOTLINE_", extra="ignore", frozen=True)

    models: Path = Field(default=DEFAULT_MODELS, description="the folder of trained classifiers")
