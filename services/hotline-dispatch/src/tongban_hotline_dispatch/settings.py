"""Settings of the hotline: `TONGBAN_HOTLINE_*`."""

from pydantic_settings import SettingsConfigDict

from tongban_common.settings import ServiceSettings


class HotlineSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TONGBAN_HOTLINE_", extra="ignore", frozen=True)
