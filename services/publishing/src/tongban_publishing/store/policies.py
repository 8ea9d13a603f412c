"""The rule data of publishing: `policies/publication.yaml`."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from tongban_common.policies import LimitRule, Policy, PolicyKind


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    clause: str = Field(min_length=1)


class _Publisher(_Part):
    code: str = Field(pattern=r"^[0-9A-Z]{18}$")
    name: str = Field(min_length=1)


class _WarnAfter(_Part):
    share: Decimal = Field(gt=0, lt=1)


class PublicationPolicy(Policy):
    publisher: _Publisher
    quarter_bulletin: LimitRule
    hotline_bulletin: LimitRule | None = None  # the same as the quarter's where a version has none
    warn_after: _WarnAfter
    four_eyes: _Part


PUBLICATION = PolicyKind("tongban_publishing", "publication.yaml", PublicationPolicy)
