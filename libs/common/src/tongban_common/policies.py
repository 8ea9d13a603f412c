"""Rule data: limits, levels, tags and weights as versioned, effective-dated YAML.

A policy document has a `name`, a `version`, an `effective_from` date and the rules themselves, each
value with its clause. It is checked at load, with the line of each fault, kept in the service's
database and never changed there: a change is a new version. Operations get the policy as a value,
chosen by date, and the matter it governs pins the version.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from itertools import pairwise
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Column, Date, DateTime, Integer, Table, Text, func, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection
from yaml.constructor import ConstructorError
from yaml.reader import ReaderError

from tongban_common.db import Database
from tongban_common.errors import BadInput, Conflict, NotFound
from tongban_common.foundation import foundation
from tongban_common.policy_faults import Fault, all_faults
from tongban_common.working_days import Limit, Unit

policy = Table(
    "policy",
    foundation,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("effective_from", Date, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("digest", Text, nullable=False),
    Column("loaded_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
_CACHE_SECONDS = 30


class BadPolicy(BadInput):
    code = "policy.bad"


class PolicyChanged(Conflict):
    code = "policy.version_is_immutable"


class PolicyOverlaps(Conflict):
    code = "policy.periods_overlap"


class NoPolicy(NotFound):
    code = "policy.none_in_force"


class Policy(BaseModel):
    """What every policy document has. A service's own models add the rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    version: int = Field(ge=1, lt=2**31)
    effective_from: date
    title: str = ""


class LimitRule(BaseModel):
    """A time limit as it stands in a document, with the clause that sets it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount: int = Field(ge=1, le=3650)
    unit: Unit
    clause: str = Field(min_length=1)

    def limit(self) -> Limit:
        return Limit(amount=self.amount, unit=self.unit, clause=self.clause)


PolicyT = TypeVar("PolicyT", bound=Policy)


@dataclass(frozen=True, slots=True)
class PolicyKind(Generic[PolicyT]):
    """A kind of document that a service knows, and the file that ships with it."""

    package: str
    file: str
    model: type[PolicyT]

    def packaged(self) -> PolicyT:
        return self.parse(packaged_text(self.package, self.file), where=self.file)

    def parse(self, document: str, *, where: str) -> PolicyT:
        """Raises BadPolicy that lists every fault with its line."""
        return parse_document(document, self.model, where=where, like=(self.package, self.file))


ModelT = TypeVar("ModelT", bound=BaseModel)


def packaged_text(package: str, file: str) -> str:
    return files(package).joinpath("policies", file).read_text(encoding="utf-8")


def parse_document(
    document: str, model: type[ModelT], *, where: str, like: tuple[str, str] | None = None
) -> ModelT:
    """YAML to a checked value. Raises BadPolicy that lists every fault with its line.

    `like` is the package and the name of a sound document of the kind, where there is one.
    """
    root, body = _read(document, where=where)
    faults = [(line, f"{key}：重复的键，第{first}行已有") for line, key, first in _repeated(root)]
    checked = None
    try:
        checked = model.model_validate(body)
    except ValidationError:
        sample = None if like is None else yaml.safe_load(packaged_text(*like))
        faults += [_placed(root, fault) for fault in all_faults(body, model, sample)]
    if checked is None or faults:
        raise BadPolicy("\n".join(f"{where} 第{line}行 {words}" for line, words in sorted(faults)))
    return checked


def parse_file(raw: bytes, kinds: Sequence[PolicyKind[Any]], *, where: str) -> Policy:
    """A file's document, of the kind whose packaged one has the same name. Raises BadPolicy."""
    try:
        document = raw.decode()
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1
        raise BadPolicy(f"{where} 第{line}行不是UTF-8编码") from None
    root, body = _read(document, where=where)
    if not isinstance(body, dict):
        raise BadPolicy(f"{where} 第1行应为“名称: 值”的对照")
    for kind in kinds:
        if kind.packaged().name == body.get("name"):
            parsed: Policy = kind.parse(document, where=where)
            return parsed
    known = "、".join(kind.packaged().name for kind in kinds)
    raise BadPolicy(f"{where} 第{_line(root, ('name',))}行 name：应为本服务的规则之一：{known}")


class _Loader(yaml.SafeLoader):
    """Names the line of a value that looks right and is none, as the 45th of a 13th month."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's
        try:
            made = super().construct_object(node, deep)
        except ValueError:
            made = None
            is_sound = False
        else:
            is_sound = not isinstance(made, int) or abs(made) < 2**63  # as JSON stores it
        if not is_sound:
            raise ConstructorError(None, None, "out of range", node.start_mark)
        return made


def _read(document: str, *, where: str) -> tuple[yaml.Node | None, Any]:
    """The document's nodes, for their lines, and its values. Raises BadPolicy."""
    try:
        loader = _Loader(document)
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    except ReaderError as fault:
        line = document.count("\n", 0, fault.position) + 1
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = 1 if mark is None else mark.line + 1
    except RecursionError:
        line = 1
    raise BadPolicy(f"{where} 第{line}行不是合法的YAML，或者取值不可用")


def access_of(package: str) -> dict[str, frozenset[str]]:
    """role → permissions, of the service's policies/access.yaml."""

    class Access(BaseModel):
        model_config = ConfigDict(extra="forbid")

        roles: dict[str, list[str]]

    text = packaged_text(package, "access.yaml")
    access = parse_document(text, Access, where="access.yaml")
    return {role: frozenset(granted) for role, granted in access.roles.items()}


async def load(db: Database, policies: Sequence[Policy]) -> list[Policy]:
    """Store new versions; what is there already stays. Returns those that are new.

    Raises PolicyChanged when a stored version differs from the document of the same version, and
    PolicyOverlaps when a new one would start before a version with a lower number, or after one
    with a higher.
    """
    fresh = []
    async with db.transaction() as tx:
        for each in policies:
            body = each.model_dump(mode="json")
            digest = hashlib.sha256(each.model_dump_json().encode()).hexdigest()
            stored = await tx.connection.execute(
                insert(policy)
                .values(
                    name=each.name,
                    version=each.version,
                    effective_from=each.effective_from,
                    body=body,
                    digest=digest,
                )
                .on_conflict_do_nothing()
                .returning(policy.c.name)
            )
            if stored.one_or_none() is not None:
                fresh.append(each)
                continue
            known = select(policy.c.digest).where(
                policy.c.name == each.name, policy.c.version == each.version
            )
            if (await tx.connection.execute(known)).scalar_one() != digest:
                raise PolicyChanged(
                    f"{each.name} 第{each.version}版已入库且内容不同；修改请另立新版本"
                )
        for each in fresh:
            await _check_periods(tx.connection, each)
    return fresh


async def _check_periods(connection: AsyncConnection, fresh: Policy) -> None:
    """No later version starts before an earlier one; of the same day, the later holds.

    Raises PolicyOverlaps, with every fault.
    """
    kept = select(policy.c.version, policy.c.effective_from).where(policy.c.name == fresh.name)
    versions = (await connection.execute(kept.order_by(policy.c.version))).all()
    faults = [
        f"{fresh.name} 第{later.version}版自{later.effective_from}起施行，"
        f"早于第{earlier.version}版的{earlier.effective_from}"
        for earlier, later in pairwise(versions)
        if later.effective_from < earlier.effective_from
        and fresh.version in (earlier.version, later.version)
    ]
    if faults:
        raise PolicyOverlaps("\n".join(faults))


async def listed(db: Database) -> list[dict[str, Any]]:
    async with db.reading() as connection:
        rows = await connection.execute(
            select(
                policy.c.name, policy.c.version, policy.c.effective_from, policy.c.loaded_at
            ).order_by(policy.c.name, policy.c.version)
        )
        return [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's public name


class PolicyShelf(Generic[PolicyT]):
    """The versions of one policy kind by date, read from the database and kept for 30 s."""

    def __init__(self, db: Database, kind: PolicyKind[PolicyT], *, name: str | None = None) -> None:
        self._db = db
        self._kind = kind
        self._name = name
        self._versions: list[PolicyT] = []
        self._read_at = float("-inf")

    async def at(self, day: date) -> PolicyT:
        """The version in force on a day: the latest effective one. Raises NoPolicy."""
        for each in reversed(await self._all()):
            if each.effective_from <= day:
                return each
        raise NoPolicy(f"{day:%Y年%m月%d日}没有生效的规则（{self._kind.file}）")

    async def version(self, version: int) -> PolicyT:
        """A pinned version. Raises NoPolicy."""
        for each in await self._all():
            if each.version == version:
                return each
        raise NoPolicy(f"没有第{version}版规则（{self._kind.file}）")

    async def all(self) -> list[PolicyT]:
        """Every version, the earlier in force first."""
        return list(await self._all())

    async def _all(self) -> list[PolicyT]:
        if time.monotonic() - self._read_at > _CACHE_SECONDS or not self._versions:
            name = self._name or self._kind.packaged().name
            async with self._db.reading() as connection:
                rows = await connection.execute(
                    select(policy.c.body)
                    .where(policy.c.name == name)
                    .order_by(policy.c.effective_from, policy.c.version)
                )
                self._versions = [self._kind.model.model_validate(row.body) for row in rows]
            self._read_at = time.monotonic()
        return self._versions


def _repeated(root: yaml.Node | None) -> list[tuple[int, str, int]]:
    """Each key that its mapping holds already: its line, the key, and the line of the first."""
    found: list[tuple[int, str, int]] = []
    seen: set[int] = set()  # an alias stands for the same node again
    open_nodes = [] if root is None else [root]
    while open_nodes:
        node = open_nodes.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            open_nodes.extend(node.value)
        if not isinstance(node, yaml.MappingNode):
            continue
        lines: dict[tuple[str, str], int] = {}
        for key, value in node.value:
            open_nodes.append(value)
            if not isinstance(key, yaml.ScalarNode):
                continue
            line = key.start_mark.line + 1
            same = (key.tag, key.value)
            if same in lines:
                found.append((line, key.value, lines[same]))
            else:
                lines[same] = line
    return found


def _placed(root: yaml.Node | None, fault: Fault) -> tuple[int, str]:
    words = f"{'.'.join(map(str, fault.path))}：{fault.words}"
    if fault.also is not None:
        words += f"（另一处在第{_line(root, fault.also)}行）"
    return _line(root, fault.path), words


def _line(node: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """The line of a value in the document; of the nearest known parent where it is missing.

    What has a name and begins on the line below it stands where its name does.
    """
    if node is None:
        return 1
    line = node.start_mark.line
    for part in path:
        child = _child(node, part)
        if child is None:
            break
        line = child.start_mark.line
        if isinstance(node, yaml.MappingNode):
            line = next(key.start_mark.line for key, value in node.value if value is child)
        node = child
    return int(line) + 1


def _child(node: yaml.Node, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        found: yaml.Node = node.value[part]
        return found
    return None
