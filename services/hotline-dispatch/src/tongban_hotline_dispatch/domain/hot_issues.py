"""Hot issues (热点): matters of many people about the same thing, grouped as they come in.

A matter joins the issue whose words it shares most, or founds one with the matter that it is most
like. An issue is named by the matter that founded it and keeps that name; of two that have grown
alike the older one stays. Neither the time of grouping nor a repeated delivery changes anything.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from tongban_common.working_days import SHANGHAI
from tongban_hotline_dispatch.domain.likeness import Vector, heaviest, likeness

CENTRE_WORDS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One matter as it is compared with others."""

    ticket_id: UUID
    at: datetime
    vector: Vector
    issue_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    id: UUID
    centre: Vector
    size: int
    first_at: datetime
    last_at: datetime

    @property
    def age(self) -> tuple[datetime, UUID]:
        return self.first_at, self.id

    def with_entry(self, new: Entry) -> "Issue":
        return replace(
            self,
            centre=_mean((self.centre, self.size), (new.vector, 1)),
            size=self.size + 1,
            first_at=min(self.first_at, new.at),
            last_at=max(self.last_at, new.at),
        )

    def with_issue(self, other: "Issue") -> "Issue":
        return replace(
            self,
            centre=_mean((self.centre, self.size), (other.centre, other.size)),
            size=self.size + other.size,
            first_at=min(self.first_at, other.first_at),
            last_at=max(self.last_at, other.last_at),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupingRules:
    join: float  # the likeness from which a matter belongs to an issue
    unite: float  # that from which two issues are one


class Grouping:
    """The issues as one round sees and changes them."""

    def __init__(self, rules: GroupingRules, issues: Mapping[UUID, Issue] | None = None) -> None:
        self._rules = rules
        self.issues: dict[UUID, Issue] = dict(issues or {})
        self.placed: dict[UUID, UUID] = {}  # ticket -> issue, of this round
        self.united: dict[UUID, UUID] = {}  # younger issue -> older issue
        self.changed: set[UUID] = set()
        self._looked_at: set[UUID] = set()

    def issue_of(self, entry: Entry) -> UUID | None:
        found = self.placed.get(entry.ticket_id, entry.issue_id)
        return None if found is None else self.lasting(found)

    def lasting(self, issue_id: UUID) -> UUID:
        while issue_id in self.united:
            issue_id = self.united[issue_id]
        return issue_id

    def place(self, new: Entry, near: Sequence[Entry]) -> UUID | None:
        """Where it belongs, or None while nothing is like it."""
        if new.ticket_id in self._looked_at or self.issue_of(new) is not None:
            return self.issue_of(new)
        self._looked_at.add(new.ticket_id)
        found = max(self._scores(new, near), key=lambda each: each[:2], default=None)
        if found is None or found[0] < self._rules.join:
            return None
        home = self._home(found[2])
        self._keep(replace(self.issues[home].with_entry(new)))
        self.placed[new.ticket_id] = home
        return self._unite(home, near)

    def _scores(
        self, new: Entry, near: Sequence[Entry]
    ) -> Iterator[tuple[float, tuple[float, int], Entry]]:
        """Against the centre where there is an issue; of equals the older counts."""
        for each in near:
            issue_id = self.issue_of(each)
            vector = each.vector if issue_id is None else self.issues[issue_id].centre
            name = issue_id or each.ticket_id
            older = (-each.at.timestamp(), -name.int)
            yield round(likeness(new.vector, vector), 9), older, each

    def _home(self, nearest: Entry) -> UUID:
        issue_id = self.issue_of(nearest)
        if issue_id is not None:
            return issue_id
        founded = Issue(
            id=nearest.ticket_id,
            centre=nearest.vector,
            size=1,
            first_at=nearest.at,
            last_at=nearest.at,
        )
        self._keep(founded)
        self.placed[nearest.ticket_id] = founded.id
        return founded.id

    def _unite(self, home: UUID, near: Sequence[Entry]) -> UUID:
        others = {self.issue_of(each) for each in near} - {home, None}
        for other in sorted(each for each in others if each is not None):
            one, two = self.issues[home], self.issues[other]
            if likeness(one.centre, two.centre) < self._rules.unite:
                continue
            older, younger = sorted((one, two), key=lambda each: each.age)
            self._keep(older.with_issue(younger))
            self.united[younger.id] = older.id
            del self.issues[younger.id]
            self.changed.discard(younger.id)
            home = older.id
        return home

    def _keep(self, issue: Issue) -> None:
        self.issues[issue.id] = issue
        self.changed.add(issue.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatRules:
    window_days: int
    per_ticket: Decimal
    per_person: Decimal
    per_root_of_votes: Decimal
    per_growth: Decimal
    raised_from: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An issue within the window, and in the one before it."""

    tickets: int
    before: int
    people: int
    votes: int

    @property
    def growth(self) -> int:
        return self.tickets - self.before

    def heat(self, rules: HeatRules) -> int:
        """Every part by its weight; votes by their root, so that one petition is no riot."""
        total = (
            rules.per_ticket * self.tickets
            + rules.per_person * self.people
            + rules.per_root_of_votes * Decimal(max(0, self.votes)).sqrt()
            + rules.per_growth * max(0, self.growth)
        )
        return int(total.to_integral_value(ROUND_HALF_UP))


def day_of(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()


def days_of(last: date, days: int) -> list[date]:
    """The window that ends with a day, that day included."""
    return [last - timedelta(days=back) for back in range(days - 1, -1, -1)]


def _mean(*parts: tuple[Vector, int]) -> dict[str, float]:
    summed: dict[str, float] = {}
    for vector, times in parts:
        for word, weight in vector.items():
            summed[word] = summed.get(word, 0.0) + weight * times
    return heaviest(summed, CENTRE_WORDS)
