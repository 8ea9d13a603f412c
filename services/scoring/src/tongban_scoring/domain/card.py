"""The scorecard (记分卡): from confirmed entries to a score that explains every point.

Order of computation: exclusive groups, doubling by calendar month, caps, then
得分 = 100 + 加分 − 扣分, with the floor. The result does not depend on the order of the entries.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.entries import Entry, State
from tongban_scoring.domain.rules import Apply, CapPeriod, Keep, Rule, RuleBook, Side

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What became of one entry: how many points it counts for, and why."""

    entry_id: UUID
    rule_id: str
    label: str
    clause: str
    side: Side
    quantity: Decimal
    amount: Decimal
    points: Decimal  # signed: what the score moved by
    day: str
    fact: str
    staff_code: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RedLineCase:
    """线索: opened for two inspectors to look into; it never decides by itself."""

    red_line_id: str
    staff_code: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    score: Decimal
    grade: str
    bonus: Decimal
    deduction: Decimal
    formula: str
    lines: Sequence[Line]
    red_line_cases: Sequence[RedLineCase] = ()


def compute(book: RuleBook, entries: Iterable[Entry]) -> Scorecard:
    """The card of one window for the entries of one period; unconfirmed ones count for nothing."""
    counted = _without_reversed(entries)
    lines = [_line(book.rule(each.rule_id), each) for each in sorted(counted, key=_order)]
    lines = _highest_level(book, lines)
    lines = _exclude(book, lines)
    lines = _double(book, lines)
    lines = _cap(book, lines)
    bonus = sum((each.points for each in lines if each.side is Side.BONUS), ZERO)
    deduction = -sum((each.points for each in lines if each.side is Side.DEDUCTION), ZERO)
    score = _bounded(book, book.start + bonus - deduction)
    return Scorecard(
        score=score,
        grade=book.grade_of(score).name,
        bonus=bonus,
        deduction=deduction,
        formula=f"{_text(book.start)} + {_text(bonus)} − {_text(deduction)} = {_text(score)}",
        lines=lines,
        red_line_cases=_red_lines(book, lines),
    )


def rank(scores: Sequence[Decimal]) -> list[int]:
    """Places from 1; equal scores share a place, and the next one is left out."""
    return [1 + sum(other > score for other in scores) for score in scores]


def _without_reversed(entries: Iterable[Entry]) -> list[Entry]:
    confirmed = [each for each in entries if each.state is State.CONFIRMED]
    reversed_ids = {each.reverses for each in confirmed if each.reverses is not None}
    return [each for each in confirmed if each.reverses is None and each.id not in reversed_ids]


def _order(entry: Entry) -> tuple[object, ...]:
    """Any fixed order will do, as long as it is of the facts and not of their arrival."""
    return entry.occurred_at, entry.rule_id, entry.fact, str(entry.id)


def _line(rule: Rule, entry: Entry) -> Line:
    sign = 1 if rule.side is Side.BONUS else -1
    return Line(
        entry_id=entry.id,
        rule_id=rule.id,
        label=rule.label,
        clause=rule.clause,
        side=rule.side,
        quantity=entry.quantity,
        amount=entry.amount,
        points=sign * entry.amount * entry.quantity,
        day=entry.occurred_at.astimezone(SHANGHAI).date().isoformat(),
        fact=entry.fact,
        staff_code=entry.staff_code,
        notes=(f"{_text(entry.quantity)}{rule.unit} × {_text(entry.amount)}分",),
    )


def _highest_level(book: RuleBook, lines: Sequence[Line]) -> list[Line]:
    """同一事项取最高级别: of one rule with levels and one fact, only the highest entry counts."""
    best: dict[tuple[str, str], Line] = {}
    for each in lines:
        held = best.get((each.rule_id, each.fact))
        if held is None or abs(each.points) > abs(held.points):
            best[each.rule_id, each.fact] = each
    result = []
    for each in lines:
        if book.rule(each.rule_id).levels is None or best[each.rule_id, each.fact] is each:
            result.append(each)
        else:
            note = "同一事项已按更高级别计分，不重复"
            result.append(replace(each, points=ZERO, notes=(*each.notes, note)))
    return result


def _exclude(book: RuleBook, lines: Sequence[Line]) -> list[Line]:
    """互斥组: of the rules that one fact touches, one rule counts; its own entries add up."""
    by_fact: dict[tuple[str, str, str | None], dict[str, Decimal]] = defaultdict(
        lambda: defaultdict(lambda: ZERO)
    )
    for each in lines:
        group = book.rule(each.rule_id).group
        if group is not None:
            by_fact[_fact(book, group, each)][each.rule_id] += abs(each.points)
    kept = {
        fact: max(rules, key=lambda rule_id: _strength(book, fact[0], rule_id, rules[rule_id]))
        for fact, rules in by_fact.items()
    }
    return [_excluded(book, each, kept) for each in lines]


def _excluded(book: RuleBook, line: Line, kept: dict[tuple[str, str, str | None], str]) -> Line:
    group = book.rule(line.rule_id).group
    if group is None:
        return line
    winner = kept[_fact(book, group, line)]
    if winner == line.rule_id:
        return line
    note = f"同一事实已按{winner}“{book.rule(winner).label}”计分，不重复"
    return replace(line, points=ZERO, notes=(*line.notes, note))


def _fact(book: RuleBook, group: str, line: Line) -> tuple[str, str, str | None]:
    return group, line.fact, line.staff_code if book.groups[group].per_person else None


def _strength(
    book: RuleBook, group: str, rule_id: str, points: Decimal
) -> tuple[Decimal, Decimal, str]:
    if book.groups[group].keep is Keep.MOST_SPECIFIC:
        return Decimal(book.rule(rule_id).specificity), points, rule_id
    return points, ZERO, rule_id


def _double(book: RuleBook, lines: Sequence[Line]) -> list[Line]:
    """加倍: the same person, the same rule, so many times in one calendar month."""
    doubling = book.doubling
    seen: dict[tuple[str, str, str], int] = defaultdict(int)
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    for each in lines:
        if _may_double(book, each):
            totals[_month_of(each)] += 1
    result = []
    for each in lines:
        if not _may_double(book, each):
            result.append(each)
            continue
        month = _month_of(each)
        seen[month] += 1
        if totals[month] < doubling.count:
            result.append(each)
            continue
        if doubling.apply is Apply.FROM_NTH and seen[month] < doubling.count:
            result.append(each)
            continue
        extra = -each.amount * each.quantity * (doubling.factor - 1)
        note = f"{month[2]}月内累计{totals[month]}次，加倍扣分（{doubling.clause}）"
        result.append(replace(each, points=each.points + extra, notes=(*each.notes, note)))
    return result


def _may_double(book: RuleBook, line: Line) -> bool:
    in_section = book.rule(line.rule_id).section == book.doubling.section
    return in_section and line.staff_code is not None and line.points != 0


def _month_of(line: Line) -> tuple[str, str, str]:
    return line.staff_code or "", line.rule_id, line.day[:7]


def _cap(book: RuleBook, lines: Sequence[Line]) -> list[Line]:
    """上限: what goes over the cap of its month or of the period counts for nothing."""
    used: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    result = []
    for each in lines:
        cap = book.rule(each.rule_id).cap
        if cap is None or each.points == 0:
            result.append(each)
            continue
        window = each.rule_id, each.day[:7] if cap.period is CapPeriod.MONTH else ""
        points = min(each.points, cap.amount - used[window])
        used[window] += points
        if points == each.points:
            result.append(each)
            continue
        note = f"超过上限{_text(cap.amount)}分的部分不计（{cap.clause}）"
        result.append(replace(each, points=points, notes=(*each.notes, note)))
    return result


def _red_lines(book: RuleBook, lines: Sequence[Line]) -> list[RedLineCase]:
    cases = []
    for each in book.red_lines:
        if each.from_rule is None or each.quantity is None:
            continue
        totals: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for line in lines:
            if line.rule_id == each.from_rule and line.staff_code is not None:
                totals[line.staff_code] += line.quantity
        cases += [
            RedLineCase(red_line_id=each.id, staff_code=staff, label=each.label)
            for staff, total in sorted(totals.items())
            if total >= each.quantity
        ]
    return cases


def _bounded(book: RuleBook, score: Decimal) -> Decimal:
    if book.floor is not None:
        score = max(score, book.floor)
    return score if book.ceiling is None else min(score, book.ceiling)


def _text(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
