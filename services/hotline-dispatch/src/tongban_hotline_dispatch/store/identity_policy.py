"""`policies/identity.yaml` as data: reasons to look, what is hidden by default."""

from pydantic import BaseModel, ConfigDict, Field

from tongban_common.policies import Policy, PolicyKind
from tongban_hotline_dispatch.domain.appeal import AppealType
from tongban_hotline_dispatch.domain.attachments import AttachmentRules
from tongban_hotline_dispatch.domain.file_kinds import FileKind, Unpacking
from tongban_hotline_dispatch.domain.identity import IdentityRules, ViewReason


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    clause: str = Field(min_length=1)


class _Reason(_Part):
    name: str = Field(min_length=1)
    needs_document: bool = False


class _Hidden(_Part):
    appeal_types: list[AppealType]


class _Oversight(_Part):
    unit_codes: list[str]


class _RecusalReason(_Part):
    name: str = Field(min_length=1)


class _Files(_Part):
    most: int = Field(ge=1, le=1000)


class _Size(_Part):
    megabytes: int = Field(ge=1, le=60)  # the edge takes 64


class _Kinds(_Part):
    allowed: list[FileKind] = Field(min_length=1)


class _Unpacked(_Part):
    megabytes: int = Field(ge=1, le=1000)
    entries: int = Field(ge=1, le=100_000)


class _Attachments(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    size: _Size
    files: _Files
    kinds: _Kinds
    unpacked: _Unpacked


class IdentityPolicy(Policy):
    view_reasons: dict[str, _Reason] = Field(min_length=1)
    hidden_by_default: _Hidden
    oversight: _Oversight
    recusal_reasons: dict[str, _RecusalReason] = Field(min_length=1)
    attachments: _Attachments

    @property
    def attachment_rules(self) -> AttachmentRules:
        given = self.attachments
        return AttachmentRules(
            most_bytes=given.size.megabytes << 20,
            most_files=given.files.most,
            kinds=frozenset(given.kinds.allowed),
            unpacking=Unpacking(
                most_bytes=given.unpacked.megabytes << 20, most_entries=given.unpacked.entries
            ),
        )

    @property
    def rules(self) -> IdentityRules:
        return IdentityRules(
            label=f"{self.name}/{self.version}",
            reasons={
                code: ViewReason(
                    code=code,
                    name=each.name,
                    clause=each.clause,
                    needs_document=each.needs_document,
                )
                for code, each in self.view_reasons.items()
            },
            hidden_types=frozenset(self.hidden_by_default.appeal_types),
            oversight=tuple(self.oversight.unit_codes),
            recusal_reasons={code: each.name for code, each in self.recusal_reasons.items()},
        )


IDENTITY = PolicyKind("tongban_hotline_dispatch", "identity.yaml", IdentityPolicy)
