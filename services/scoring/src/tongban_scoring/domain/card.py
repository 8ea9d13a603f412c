"""The scorecard (记分卡): from confirmed entries to a score that explains every point.

Order of computation: exclusive groups, doubling by calendar month, caps, base points lost as a
whole, then 得分 = 100 + 加分 − 扣分, with the floor. A reversal of what an earlier card holds gives
back what it cost there. The result does not depend on the order of the entries.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from tongban_common.working_days import SHANGHAI
from tongban_scoring.domain.entries import Entry, State
from tongban_scoring.domain.rules import Apply, CapPeriod, Feed, Keep, Rule, RuleBook, Side

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
class Paid:
    """What an entry cost or brought on the card of an earlier period."""

    period_code: str
    label: str
    clause: str
    points: Decimal


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
    correction: Decimal = ZERO
    overdue: int = 0  # lines of overdue rules that cost points

    def standing(self, handled: int) -> tuple[Decimal, int, int]:
        """默认：同分的，逾期少者在前，再以办件多者在前（原文未规定）."""
        return self.score, -self.overdue, handled


def compute(
    book: RuleBook, entries: Iterable[Entry], paid: Mapping[UUID, Paid] | None = None
) -> Scorecard:
    """The card of one window for the entries of one period; unconfirmed ones count for nothing.

    `paid` is what earlier cards hold of the entries that are reversed only now, by their ids.
    """
    confirmed = sorted((each for each in entries if each.state is State.CONFIRMED), key=_order)
    book = _with_retired(book, confirmed)
    counted = _without_reversed(confirmed)
    lines = [_line(book.rule(each.rule_id), each) for each in counted]
    lines = _highest_level(book, lines)
    lines = _exclude(book, lines)
    lines = _double(book, lines)
    lines = _cap(book, lines)
    lines = [*lines, *_forfeited(book, lines), *_given_back(confirmed, paid or {})]
    return _card(book, lines)


def _card(book: RuleBook, lines: Sequence[Line]) -> Scorecard:
    bonus = sum((each.points for each in lines if each.side is Side.BONUS), ZERO)
    deduction = -sum((each.points for each in lines if each.side is Side.DEDUCTION), ZERO)
    correction = sum((each.points for each in lines if each.side is Side.CORRECTION), ZERO)
    plain = book.start + bonus - deduction + correction
    score = _bounded(book, plain)
    terms = f"{_text(book.start)} + {_text(bonus)} − {_text(deduction)}"
    if correction != 0:
        sign = "+" if correction > 0 else "−"
        terms += f" {sign} {_text(abs(correction))}（冲销以前周期）"
    return Scorecard(
        score=score,
        grade=book.grade_of(score).name,
        bonus=bonus,
        deduction=deduction,
        formula=f"{terms} = {_text(plain)}{_bound_note(plain, score)}",
        lines=lines,
        correction=correction,
        overdue=sum(each.rule_id in book.overdue_rules and each.points < 0 for each in lines),
        red_line_cases=_red_lines(book, lines),
    )


Standing = TypeVar("Standing", Decimal, tuple[Decimal, int, int])


def rank(standings: Sequence[Standing]) -> list[int]:
    """Places from 1; equals share a place, and the next one is left out."""
    return [1 + sum(other > one for other in standings) for one in standings]


def _with_retired(book: RuleBook, entries: Iterable[Entry]) -> RuleBook:
    """Entries of rules that the book is without keep their amount, and meet no other rule."""
    retired = {
        each.rule_id: Rule(
            id=each.rule_id,
            side=each.rule.side,
            amount=each.amount,
            label=each.rule.label,
            unit=each.rule.unit,
            feed=Feed.MANUAL,
            clause=each.rule.clause,
            section="",
            is_retired=True,
        )
        for each in entries
        if each.rule is not None and each.rule_id not in book.rules
    }
    return replace(book, rules={**retired, **book.rules}) if retired else book


def _without_reversed(confirmed: Sequence[Entry]) -> list[Entry]:
    reversed_ids = {each.reverses for each in confirmed if each.reverses is not None}
    return [each for each in confirmed if each.reverses is None and each.id not in reversed_ids]


def _order(entry: Entry) -> tuple[object, ...]:
    """Any fixed order will do, as long as it is of the facts and not of their arrival."""
    return entry.occurred_at, entry.rule_id, entry.fact, str(entry.id)


def _line(rule: Rule, entry: Entry) -> Line:
    sign = 1 if rule.side is Side.BONUS else -1
    notes = [f"{_text(entry.quantity)}{rule.unit} × {_text(entry.amount)}分"]
    if rule.is_retired:
        notes.append("细则新版已无此条，按原分值计")
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
        notes=tuple(notes),
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


def _forfeited(book: RuleBook, lines: Sequence[Line]) -> list[Line]:
    """Base points that are given or taken as a whole; the first entry that counts takes them."""
    lost = book.forfeit
    if lost is None:
        return []
    first = next((each for each in lines if each.rule_id in lost.rules and each.points != 0), None)
    if first is None:
        return []
    note = f"{first.rule_id}“{first.label}”已计，该项{_text(lost.points)}分不得"
    return [
        replace(
            first,
            rule_id=lost.id,
            label=lost.label,
            clause=lost.clause,
            quantity=Decimal(1),
            amount=lost.points,
            points=-lost.points,
            notes=(note,),
        )
    ]


def _given_back(confirmed: Sequence[Entry], paid: Mapping[UUID, Paid]) -> list[Line]:
    """冲销以前周期的记录: the points that the wrong entry really cost, back in this period."""
    lines = []
    for each in confirmed:
        cost = paid.get(each.reverses) if each.reverses is not None else None
        if cost is None:
            continue
        verb = "收回原加" if cost.points > 0 else "退还原扣"
        note = f"冲销{cost.period_code}周期的记录，{verb}{_text(abs(cost.points))}分"
        lines.append(
            Line(
                entry_id=each.id,
                rule_id=each.rule_id,
                label=cost.label,
                clause=cost.clause,
                side=Side.CORRECTION,
                quantity=each.quantity,
                amount=each.amount,
                points=-cost.points,
                day=each.occurred_at.astimezone(SHANGHAI).date().isoformat(),
                fact=each.fact,
                staff_code=each.staff_code,
                notes=(note,),
            )
        )
    return lines


def _red_lines(book: RuleBook, lines: Sequence[Line]) -> list[RedLineCase]:
    cases = []
    for each in book.red_lines:
        if each.from_rule is None or each.quantity is None:
            continue
        totals: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for line in lines:
            if line.side is Side.CORRECTION or line.staff_code is None:
                continue
            if line.rule_id == each.from_rule:
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


def _bound_note(plain: Decimal, score: Decimal) -> str:
    if score > plain:
        return f"，按不低于{_text(score)}分计{_text(score)}"
    return f"，按不高于{_text(score)}分计{_text(score)}" if score < plain else ""


def _text(value: Decimal) -> str:
    text = f"{value:f}".replace("-", "−")
    return text.rstrip("0").rstrip(".") if "." in text else text
