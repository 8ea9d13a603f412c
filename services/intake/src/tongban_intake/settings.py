"""Settings of intake: `TONGBAN_INTAKE_*`."""

from pydantic_settings import SettingsConfigDict

from tongban_common.settings import ServiceSettings


class IntakeSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TONGBAN_INTAKE_", extra="ignore", frozen=True)
