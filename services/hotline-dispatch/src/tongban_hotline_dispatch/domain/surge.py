"""Surge profiles (突发事件): other limits for some matters, for a time, whatever was pinned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from tongban_common.working_days import SHANGHAI, Limit
from tongban_hotline_dispatch.domain.appeal import Appeal


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge:
    """Holds for matters whose code begins so or whose text has one of the words, within a window.
    Without either it holds for every matter."""

    name: str
    matter: str  # the beginning of the matter codes
    from_at: datetime
    to_at: datetime
    limits: Mapping[str, Limit]  # by stage; `reply` is the unit's and the citizen's
    words: frozenset[str] = frozenset()

    @property
    def weight(self) -> tuple[int, bool, float]:
        """The more it says of the matter, and the shorter its window, the more specific it is."""
        return len(self.matter), bool(self.words), -(self.to_at - self.from_at).total_seconds()

    def holds(self, appeal: Appeal, at: datetime) -> bool:
        return self.from_at <= at < self.to_at and self._is_about(appeal)

    def _is_about(self, appeal: Appeal) -> bool:
        if self.matter and (appeal.matter_code or "").startswith(self.matter):
            return True
        if self.words:
            return any(word in appeal.title or word in appeal.content for word in self.words)
        return not self.matter

    def limit(self, name: str) -> Limit:
        """With the profile and its window in the clause: a deadline explains itself by it."""
        limit = self.limits[name]
        start, end = (each.astimezone(SHANGHAI) for each in (self.from_at, self.to_at))
        window = f"{start:%Y-%m-%d %H:%M}至{end:%Y-%m-%d %H:%M}"
        return replace(limit, clause=f"{limit.clause}（{self.name}，{window}）")


def surge_limit(surges: Sequence[Surge], name: str, appeal: Appeal, at: datetime) -> Limit | None:
    """Of the profiles that hold now and name the stage, the most specific one's."""
    holding = [each for each in surges if name in each.limits and each.holds(appeal, at)]
    if not holding:
        return None
    return max(holding, key=lambda each: (each.weight, each.name)).limit(name)
