"""Settings of scoring: `TONGBAN_SCORING_*`."""

from pydantic_settings import SettingsConfigDict

from tongban_common.settings import ServiceSettings


class ScoringSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TONGBAN_SCORING_", extra="ignore", frozen=True)
