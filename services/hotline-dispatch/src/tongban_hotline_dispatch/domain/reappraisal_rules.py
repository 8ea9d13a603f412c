"""The rules of the reappraisal (复核) as values."""

from collections.abc import Mapping
from dataclasses import dataclass

from tongban_common.errors import RuleViolation
from tongban_common.working_days import Limit


class UnknownGround(RuleViolation):
    code = "reappraisal.unknown_ground"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReappraisalRules:
    apply: Limit  # from the rating
    county: Limit
    city: Limit
    county_silence_passes: bool  # on to the city; else it ends there
    city_silence_passes: bool  # else the mark stands
    without_county: frozenset[str]  # levels of units whose applications go straight to the city
    grounds: Mapping[str, str]

    def ground(self, code: str) -> str:
        """Raises UnknownGround."""
        if code not in self.grounds:
            raise UnknownGround(f"复核事由应为：{'、'.join(self.grounds)}", given=code)
        return self.grounds[code]
