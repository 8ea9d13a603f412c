"""Which upper platforms (上级平台) there are, and what they call the steps of a ticket."""

from collections.abc import Mapping
from dataclasses import dataclass

from tongban_common.errors import Forbidden
from tongban_hotline_dispatch.domain.appeal import Channel
from tongban_hotline_dispatch.domain.moves import Status


class NotAPlatform(Forbidden):
    code = "upstream.not_a_platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    subject: str  # what its token names it
    name: str
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRules:
    platforms: Mapping[str, Platform]  # by subject
    phases: Mapping[Status, str]
    most: int

    def platform(self, subject: str) -> Platform:
        """Raises NotAPlatform."""
        found = self.platforms.get(subject)
        if found is None:
            raise NotAPlatform("这个账号没有登记为上级平台")
        return found

    def is_upper(self, channel: Channel) -> bool:
        return any(each.channel is channel for each in self.platforms.values())
