"""`policies/contacts.yaml` to the value that the domain works with."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tongban_common.policies import LimitRule, Policy, PolicyKind
from tongban_common.policy_faults import Fault, Faults
from tongban_hotline_dispatch.domain.contacts import ContactRole, ContactRules


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Role(_Part):
    must_file: bool
    most: int | None = Field(default=None, ge=1)
    clause: str = Field(min_length=1)


class _Needed(_Part):
    roles: list[ContactRole] = Field(min_length=1)
    clause: str = Field(min_length=1)


class _Nightly(_Part):
    hour: int = Field(ge=0, le=23)
    clause: str = Field(min_length=1)


class ContactsPolicy(Policy):
    filing: LimitRule
    roles: dict[ContactRole, _Role]
    needed: _Needed
    nightly: _Nightly
    confirmation: LimitRule
    unmask_reasons: dict[str, str] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_every_role(self) -> Self:
        missing = [role for role in ContactRole if role not in self.roles]
        Faults.check(Fault(("roles",), f"没有这些岗位的规则：{each}") for each in missing)
        return self

    def rules(self) -> ContactRules:
        return ContactRules(
            policy=f"{self.name}@{self.version}",
            filing=self.filing.limit(),
            must_file=frozenset(name for name, role in self.roles.items() if role.must_file),
            most={name: role.most for name, role in self.roles.items() if role.most is not None},
            needed=tuple(self.needed.roles),
            confirmation=self.confirmation.limit(),
            nightly_hour=self.nightly.hour,
            reasons=self.unmask_reasons,
        )


CONTACTS = PolicyKind("tongban_hotline_dispatch", "contacts.yaml", ContactsPolicy)
