"""This service's settings: `TONGBAN_EVALUATION_*`."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from tongban_common.settings import ServiceSettings


class EvaluationSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TONGBAN_EVALUATION_", extra="ignore", frozen=True)

    public_url: str = Field(default="", description="what invitation links begin with")
