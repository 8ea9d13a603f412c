"""The directory: divisions (行政区划), units (机构), windows (窗口), staff; how they may nest.

Four levels, 市 → 县 → 乡镇(街道) → 村(社区), and park centres beside them, which belong to the
local system under the same standards. The rules look at the whole directory, so that a load is
refused as a whole, with every fault named.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar


class Level(StrEnum):
    CITY = "city"  # 市
    COUNTY = "county"  # 县（市、区）
    TOWNSHIP = "township"  # 乡镇（街道）
    VILLAGE = "village"  # 村（社区）
    PARK = "park"  # 园区


# The level of the parent that each level may have: never a lower one. A park centre stands under a
# city or a county; a few cities have no counties, so a township may stand under the city itself.
PARENT_LEVELS: Mapping[Level, frozenset[Level]] = {
    Level.CITY: frozenset({Level.CITY}),
    Level.COUNTY: frozenset({Level.CITY, Level.COUNTY}),
    Level.TOWNSHIP: frozenset({Level.CITY, Level.COUNTY, Level.TOWNSHIP}),
    Level.VILLAGE: frozenset({Level.TOWNSHIP, Level.VILLAGE, Level.PARK}),
    Level.PARK: frozenset({Level.CITY, Level.COUNTY, Level.PARK}),
}


class UnitKind(StrEnum):
    GOVERNMENT = "government"  # 政府
    COMPETENT_DEPARTMENT = "competent_dept"  # 政务办、行政审批局
    CENTER = "center"  # 政务服务中心
    SUB_HALL = "sub_hall"  # 分厅
    TOWNSHIP_CENTER = "township_center"  # 便民服务中心
    VILLAGE_POINT = "village_point"  # 便民服务站、代办点
    PARK_CENTER = "park_center"  # 园区综合服务中心
    DEPARTMENT = "department"  # 部门
    SECTION = "section"  # 科室
    TRADING_CENTER = "resource_trading_center"  # 公共资源交易中心


_EVERYWHERE = frozenset(Level)
_HALLS = frozenset({Level.CITY, Level.COUNTY})
LEVELS_OF_KIND: Mapping[UnitKind, frozenset[Level]] = {
    UnitKind.GOVERNMENT: _EVERYWHERE - {Level.VILLAGE},
    UnitKind.COMPETENT_DEPARTMENT: _HALLS,
    UnitKind.CENTER: _HALLS,
    UnitKind.SUB_HALL: _HALLS,
    UnitKind.TOWNSHIP_CENTER: frozenset({Level.TOWNSHIP}),
    UnitKind.VILLAGE_POINT: frozenset({Level.VILLAGE}),
    UnitKind.PARK_CENTER: frozenset({Level.PARK}),
    UnitKind.DEPARTMENT: _EVERYWHERE - {Level.VILLAGE},
    UnitKind.SECTION: _EVERYWHERE - {Level.VILLAGE},
    UnitKind.TRADING_CENTER: _HALLS,  # 晋政办发〔2017〕4号: only at province and city level
}


class WindowKind(StrEnum):
    COMPREHENSIVE = "comprehensive"  # 综合窗口
    DEPARTMENT = "department"  # 部门窗口
    RESULT_OUT = "result_out"  # 出件窗口
    CONSULT = "consult"  # 导办窗口
    BANK_FEE = "bank_fee"  # 银行代收点
    CANNOT_BE_DONE = "cannot_be_done"  # 办不成事反映窗口


class Role(StrEnum):
    CHIEF_REPRESENTATIVE = "chief_rep"  # 首席代表
    WINDOW_LEAD = "window_lead"  # 窗口负责人
    CLERK = "clerk"  # 窗口工作人员
    REVIEWER = "reviewer"  # 审批人员
    INSPECTOR = "inspector"  # 协调督查
    CENTER_ADMIN = "center_admin"  # 中心管理员
    PUBLISHER = "publisher"  # 信息发布
    SECURITY_REVIEWER = "security_reviewer"  # 保密审查


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    code: str  # GB/T 2260: 6 digits, 9 with the township, 12 with the village
    name: str
    level: Level
    parent_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrgUnit:
    code: str
    name: str
    kind: UnitKind
    level: Level
    division_code: str
    parent_code: str | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    code: str
    unit_code: str  # whose hall it stands in
    name: str
    kind: WindowKind
    is_active: bool = True

    @property
    def takes_applications(self) -> bool:
        """前台综合受理: not the counters that hand out results, guide people or take fees."""
        return self.kind in {WindowKind.COMPREHENSIVE, WindowKind.DEPARTMENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """No name: a code, so that nothing here or in an event is personal data."""

    code: str
    unit_code: str  # the home department; the window may stand in another unit's hall
    role: Role
    window_code: str | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with one entry; whoever read the document knows where that entry stands."""

    table: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    divisions: Mapping[str, Division]
    units: Mapping[str, OrgUnit]
    windows: Mapping[str, Window]
    staff: Mapping[str, Staff]

    def faults(self) -> tuple[Fault, ...]:
        return (
            *_of("divisions", self.divisions, self._division_faults),
            *_of("units", self.units, self._unit_faults),
            *_of("windows", self.windows, self._window_faults),
            *_of("staff", self.staff, self._staff_faults),
        )

    def _division_faults(self, division: Division) -> Iterator[str]:
        if not _DIVISION_CODE.fullmatch(division.code):
            yield "行政区划代码应为 6、9 或 12 位数字"
        if division.level is Level.PARK:
            yield "园区不是行政区划，请登记为机构"
        yield from _parent_faults(division, self.divisions)

    def _unit_faults(self, unit: OrgUnit) -> Iterator[str]:
        if unit.level not in LEVELS_OF_KIND[unit.kind]:
            yield f"机构类型 {unit.kind} 不能设在 {unit.level} 一级"
        yield from self._unit_division_faults(unit)
        yield from _parent_faults(unit, self.units)
        parent = self.units.get(unit.parent_code or "")
        if unit.is_active and parent is not None and not parent.is_active:
            yield f"上级机构 {parent.code} 已停用"

    def _unit_division_faults(self, unit: OrgUnit) -> Iterator[str]:
        division = self.divisions.get(unit.division_code)
        if division is None:
            yield f"行政区划 {unit.division_code} 不存在"
        elif unit.level is not Level.PARK and division.level is not unit.level:
            yield f"机构级别 {unit.level} 与所在区划的级别 {division.level} 不一致"

    def _window_faults(self, window: Window) -> Iterator[str]:
        yield from self._placed(window.unit_code, is_active=window.is_active)

    def _staff_faults(self, staff: Staff) -> Iterator[str]:
        yield from self._placed(staff.unit_code, is_active=staff.is_active)
        if staff.window_code is None:
            return
        window = self.windows.get(staff.window_code)
        if window is None:
            yield f"窗口 {staff.window_code} 不存在"
        elif staff.is_active and not window.is_active:
            yield f"窗口 {staff.window_code} 已停用"

    def _placed(self, unit_code: str, *, is_active: bool) -> Iterator[str]:
        unit = self.units.get(unit_code)
        if unit is None:
            yield f"机构 {unit_code} 不存在"
        elif is_active and not unit.is_active:
            yield f"机构 {unit_code} 已停用"


_DIVISION_CODE = re.compile(r"\d{6}(\d{3}){0,2}", re.ASCII)

_Entry = TypeVar("_Entry")
_Node = TypeVar("_Node", Division, OrgUnit)  # both hang in a tree by the same rules


def _of(
    table: str, entries: Mapping[str, _Entry], rule: Callable[[_Entry], Iterable[str]]
) -> list[Fault]:
    return [
        Fault(table=table, code=code, message=message)
        for code, entry in entries.items()
        for message in rule(entry)
    ]


def _parent_faults(node: _Node, nodes: Mapping[str, _Node]) -> Iterator[str]:
    if node.parent_code is None:
        return
    parent = nodes.get(node.parent_code)
    if parent is None:
        yield f"上级 {node.parent_code} 不存在"
    elif _is_in_cycle(node, nodes):
        yield f"上级关系成环：{node.code} 最终隶属于自己"
    elif parent.level not in PARENT_LEVELS[node.level]:
        yield f"{node.level} 一级不能隶属于 {parent.level} 一级"


def _is_in_cycle(node: _Node, nodes: Mapping[str, _Node]) -> bool:
    """Whether walking up from the node comes back to it; a cycle further up is its own fault."""
    seen: set[str] = set()
    above = node.parent_code
    while above is not None and above in nodes and above not in seen:
        seen.add(above)
        above = nodes[above].parent_code
    return node.code in seen
