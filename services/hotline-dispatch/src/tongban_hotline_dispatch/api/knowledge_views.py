"""What the knowledge API takes and says."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.knowledge import Body, Item, Material, Move, State, Version
from tongban_hotline_dispatch.operations.importing import Outcome


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class KnowledgeRequest(_Request):
    title: str = Field(min_length=1, max_length=1_000)
    content: str = Field(min_length=1, max_length=100_000)
    unit_code: str = Field(min_length=1, max_length=64, description="负责单位编码")
    category: str = Field(min_length=1, max_length=500, description="以斜线分隔的分类路径，至末级")
    material: Material
    keywords: list[str] = Field(default_factory=list, max_length=100)

    def body(self) -> Body:
        return Body(
            title=self.title,
            content=self.content,
            unit_code=self.unit_code,
            category=self.category,
            material=self.material,
            keywords=tuple(self.keywords),
        )


class NewKnowledgeRequest(KnowledgeRequest):
    duty_id: UUID | None = Field(default=None, description="所完成的责任事项")


class MoveRequest(_Request):
    why: str = Field(default="", max_length=1_000, description="退回、撤下、作废的原因")


class ErrorRequest(_Request):
    what: str = Field(min_length=1, max_length=1_000, description="何处有误")


class SeenItem(_Request):
    item_id: UUID
    revision: int = Field(ge=1)


class BulkRequest(_Request):
    move: Move
    why: str = Field(default="", max_length=1_000)
    items: list[SeenItem] = Field(min_length=1, max_length=200)


class BulkResult(BaseModel):
    item_id: UUID
    done: bool
    code: str | None
    reason: str | None


class BulkView(BaseModel):
    results: list[BulkResult]


class VersionView(BaseModel):
    number: int
    state: State
    title: str
    content: str
    unit_code: str
    category: str
    material: Material
    keywords: list[str]
    edited_at: AwareDatetime
    published_at: AwareDatetime | None
    review_due: AwareDatetime | None
    remark: str | None

    @classmethod
    def of(cls, version: Version) -> "VersionView":
        body = version.body
        published_at = version.published_at
        return cls(
            number=version.number,
            state=version.state,
            title=body.title,
            content=body.content,
            unit_code=body.unit_code,
            category=body.category,
            material=body.material,
            keywords=list(body.keywords),
            edited_at=version.edited_at.astimezone(SHANGHAI),
            published_at=None if published_at is None else published_at.astimezone(SHANGHAI),
            review_due=(None if version.term is None else version.term.due_at.astimezone(SHANGHAI)),
            remark=version.remark,
        )


class ItemView(BaseModel):
    id: UUID
    revision: int
    source_ticket: UUID | None
    versions: list[VersionView]

    @classmethod
    def of(cls, item: Item) -> "ItemView":
        versions = sorted(item.versions, key=lambda each: each.number)
        return cls(
            id=item.id,
            revision=item.revision,
            source_ticket=item.source_ticket,
            versions=[VersionView.of(each) for each in versions],
        )


class ItemLineView(BaseModel):
    item_id: UUID
    number: int
    state: State
    title: str
    unit_code: str
    unit_name: str | None
    category: str
    material: Material
    edited_at: AwareDatetime
    review_due: AwareDatetime | None
    revision: int


class ItemPage(BaseModel):
    items: list[ItemLineView]
    next: str | None


class FoundView(BaseModel):
    item_id: UUID
    number: int
    title: str
    category: str
    material: Material
    unit_code: str
    score: float


class SearchView(BaseModel):
    items: list[FoundView]


class PublicView(BaseModel):
    item_id: UUID
    number: int
    title: str
    content: str
    unit_name: str | None
    category: str
    material: Material
    keywords: list[str]
    published_at: AwareDatetime | None


class ItemRowView(BaseModel):
    line: int
    outcome: Outcome
    reason: str | None
    item_id: UUID | None


class ItemsImportView(BaseModel):
    taken: int
    refused: int
    rows: list[ItemRowView]
